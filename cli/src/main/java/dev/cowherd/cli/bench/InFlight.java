package dev.cowherd.cli.bench;

import dev.cowherd.image.Disk;
import dev.cowherd.image.Request;
import dev.cowherd.image.RequestQueue;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.function.BooleanSupplier;
import org.HdrHistogram.Histogram;
import org.jspecify.annotations.Nullable;

/**
 * As many requests in flight as the settings say: whatever completes makes room for the next. A request's time is from its
 * submission to its completion, with what the others in flight cost it.
 */
final class InFlight implements Sender {
    /** Of a flush; requests have their room's number. */
    private static final long FLUSH = -1;

    private final BenchSettings settings;
    private final RequestQueue queue;
    private final MemorySegment[] rooms;
    private final long[] begun;
    private final int[] free;
    private final RequestQueue.Handler handler = this::completed;
    private int freeCount;
    private boolean flushing;
    private long now;
    private Histogram latency = BenchRun.histogram();
    private @Nullable Throwable failure;

    InFlight(Disk disk, BenchSettings settings) throws IOException {
        this.settings = settings;
        int depth = settings.depth();
        // One more for a flush among them.
        this.queue = disk.openRequestQueue(depth + 1);
        this.rooms = new MemorySegment[depth];
        this.begun = new long[depth];
        this.free = new int[depth];
        allocate();
    }

    private void allocate() throws IOException {
        boolean allocated = false;
        try {
            long bytes = settings.bufferBytes();
            long stride = (bytes + 4095) & -4096;
            MemorySegment all = queue.allocate(stride * rooms.length);
            all.fill((byte) settings.pattern());
            for (int i = 0; i < rooms.length; i++) {
                rooms[i] = all.asSlice(i * stride, bytes);
                free[freeCount++] = i;
            }
            allocated = true;
        } finally {
            if (!allocated) {
                queue.close();
            }
        }
    }

    @Override
    public long send(OffsetPattern pattern, long count, long nanos, Histogram times, BooleanSupplier stopping)
            throws IOException {
        latency = times;
        long sent = 0;
        long start = System.nanoTime();
        now = start;
        while (true) {
            while (mayBegin() && sent < count && now - start < nanos && !stopping.getAsBoolean() && failure == null) {
                sent++;
                begin(pattern.next());
                if (settings.flushInterval() > 0 && sent % settings.flushInterval() == 0) {
                    flush();
                }
            }
            if (queue.inFlight() == 0) {
                break;
            }
            queue.await(1, handler);
        }
        Throwable first = failure;
        if (first != null) {
            throw first instanceof IOException e ? e : new IOException(first);
        }
        return sent;
    }

    private boolean mayBegin() {
        return freeCount > 0 && !(flushing && settings.drainBeforeFlush());
    }

    private void begin(long offset) {
        int room = free[--freeCount];
        begun[room] = now;
        MemorySegment bytes = rooms[room];
        queue.submit(settings.write() ? new Request.Write(room, offset, bytes) : new Request.Read(room, offset, bytes));
    }

    private void flush() throws IOException {
        while (queue.inFlight() > 0 && (settings.drainBeforeFlush() || flushing)) {
            queue.await(queue.inFlight(), handler);
        }
        flushing = true;
        queue.submit(new Request.Flush(FLUSH));
    }

    private void completed(long token, @Nullable Throwable problem) {
        if (failure == null) {
            failure = problem;
        }
        if (token == FLUSH) {
            flushing = false;
            return;
        }
        now = System.nanoTime();
        latency.recordValue(Math.min(now - begun[(int) token], BenchRun.LONGEST_NANOS));
        free[freeCount++] = (int) token;
    }

    @Override
    public void close() throws IOException {
        queue.close();
    }
}
