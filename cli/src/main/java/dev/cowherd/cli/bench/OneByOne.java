package dev.cowherd.cli.bench;

import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskQueue;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.BooleanSupplier;
import org.HdrHistogram.Histogram;

/**
 * One request after another, by system calls: each one's end is the next one's start, so the clock is read once a request. A flush
 * counts as part of the request before it.
 */
final class OneByOne implements Sender {
    private final BenchSettings settings;
    private final DiskQueue queue;
    private final Arena arena = Arena.ofConfined();
    private final MemorySegment buffer;

    OneByOne(Disk disk, BenchSettings settings) throws IOException {
        this.settings = settings;
        this.queue = disk.openQueue();
        this.buffer = arena.allocate(settings.bufferBytes(), 4096);
        buffer.fill((byte) settings.pattern());
    }

    @Override
    public long send(OffsetPattern pattern, long count, long nanos, Histogram latency, BooleanSupplier stopping)
            throws IOException {
        long sent = 0;
        long start = System.nanoTime();
        long before = start;
        while (sent < count && before - start < nanos && !stopping.getAsBoolean()) {
            sent++;
            perform(pattern.next(), sent);
            long after = System.nanoTime();
            latency.recordValue(Math.min(after - before, BenchRun.LONGEST_NANOS));
            before = after;
        }
        return sent;
    }

    private void perform(long offset, long number) throws IOException {
        if (!settings.write()) {
            queue.read(offset, buffer);
            return;
        }
        queue.write(offset, buffer);
        if (settings.flushInterval() > 0 && number % settings.flushInterval() == 0) {
            queue.flush();
        }
    }

    @Override
    public void close() throws IOException {
        try (arena) {
            queue.close();
        }
    }
}
