package dev.cowherd.cli.bench;

import dev.cowherd.cli.parallel.QueueThreads;
import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskQueue;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.HdrHistogram.Histogram;

/**
 * Sends requests from a number of queues at once, each on its own thread and one after another, and measures every one.
 *
 * <p>The same loop runs before the measurement for the warm-up, so that what is measured is compiled code and warm caches; writes
 * of the warm-up are real writes. All queues start together.
 */
public final class BenchRun {
    private static final long LONGEST_NANOS = 3_600_000_000_000L;
    private static final int DIGITS = 3;

    private final Disk disk;
    private final BenchSettings settings;
    private final QueueThreads threads = new QueueThreads();
    private final CountDownLatch startLine;
    private final List<QueueResult> results = new ArrayList<>();

    private record QueueResult(long requests, long startNanos, long endNanos, Histogram latency) {}

    /**
     * Prepares a run.
     *
     * @param disk what to read or write; at least one request large
     * @param settings how
     */
    public BenchRun(Disk disk, BenchSettings settings) {
        this.disk = disk;
        this.settings = settings;
        this.startLine = new CountDownLatch(settings.queues());
    }

    /**
     * Runs once.
     *
     * @return what was measured
     * @throws IOException if a request fails
     */
    public BenchResult run() throws IOException {
        threads.run(settings.queues(), this::runQueue);
        long base = results.getFirst().startNanos();
        long start = Long.MAX_VALUE;
        long end = Long.MIN_VALUE;
        long requests = 0;
        Histogram latency = histogram();
        for (QueueResult result : results) {
            start = Math.min(start, result.startNanos() - base);
            end = Math.max(end, result.endNanos() - base);
            requests += result.requests();
            latency.add(result.latency());
        }
        long bytes = Math.multiplyExact(requests, settings.bufferBytes());
        return new BenchResult(requests, bytes, Math.max(1, end - start), latency);
    }

    private void runQueue(int index) throws IOException {
        try (Arena arena = Arena.ofConfined();
                DiskQueue queue = disk.openQueue()) {
            MemorySegment buffer = arena.allocate(settings.bufferBytes(), 4096);
            buffer.fill((byte) settings.pattern());
            warmUp(index, queue, buffer);
            OffsetPattern pattern = pattern(index, index);
            Histogram latency = histogram();
            Duration runtime = settings.runtime();
            long count = runtime == null ? firstOf(index + 1) - firstOf(index) : Long.MAX_VALUE;
            long nanos = runtime == null ? Long.MAX_VALUE : runtime.toNanos();
            awaitOthers();
            long start = System.nanoTime();
            long sent = send(queue, buffer, pattern, count, nanos, latency);
            long end = System.nanoTime();
            synchronized (results) {
                results.add(new QueueResult(sent, start, end, latency));
            }
        } finally {
            startLine.countDown(); // a queue that failed must not keep the others waiting
        }
    }

    private void warmUp(int index, DiskQueue queue, MemorySegment buffer) throws IOException {
        long nanos = settings.warmup().toNanos();
        if (nanos > 0) {
            send(queue, buffer, pattern(index, -1L - index), Long.MAX_VALUE, nanos, histogram());
        }
    }

    /**
     * The loop that is measured: each request's end is the next one's start, so the clock is read once a request. A flush counts
     * as part of the request before it.
     */
    private long send(
            DiskQueue queue, MemorySegment buffer, OffsetPattern pattern, long count, long nanos, Histogram latency)
            throws IOException {
        long sent = 0;
        long start = System.nanoTime();
        long before = start;
        while (sent < count && before - start < nanos && !threads.stopping()) {
            sent++;
            perform(queue, pattern.next(), buffer, sent);
            long after = System.nanoTime();
            latency.recordValue(Math.min(after - before, LONGEST_NANOS));
            before = after;
        }
        return sent;
    }

    private void perform(DiskQueue queue, long offset, MemorySegment buffer, long number) throws IOException {
        if (!settings.write()) {
            queue.read(offset, buffer);
            return;
        }
        queue.write(offset, buffer);
        if (settings.flushInterval() > 0 && number % settings.flushInterval() == 0) {
            queue.flush();
        }
    }

    private OffsetPattern pattern(int index, long seed) {
        return new OffsetPattern(settings, disk.sizeBytes(), firstOf(index), seed);
    }

    /** Each queue sends its own stretch of the whole run's requests, so that requests in steps stay sequential. */
    private long firstOf(int index) {
        if (settings.runtime() == null) {
            return Math.multiplyExact(settings.count(), index) / settings.queues();
        }
        long stepsOnDisk = disk.sizeBytes() / Math.max(1, settings.stepBytes());
        return stepsOnDisk / settings.queues() * index;
    }

    private void awaitOthers() throws InterruptedIOException {
        startLine.countDown();
        try {
            startLine.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            InterruptedIOException stopped = new InterruptedIOException("interrupted");
            stopped.initCause(e);
            throw stopped;
        }
    }

    private static Histogram histogram() {
        return new Histogram(LONGEST_NANOS, DIGITS);
    }
}
