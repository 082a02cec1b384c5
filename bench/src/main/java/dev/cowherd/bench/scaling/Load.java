package dev.cowherd.bench.scaling;

import com.sun.management.OperatingSystemMXBean;
import dev.cowherd.image.Disk;
import dev.cowherd.image.Request;
import dev.cowherd.image.RequestQueue;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.util.Arrays;
import java.util.concurrent.BrokenBarrierException;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * Keeps request queues of a disk full, one a thread, and counts what completes. The disk's options say which engine.
 *
 * @param queues how many
 * @param depth requests in flight on each
 * @param blockBytes bytes of a request's buffer
 * @param warmSeconds how long before it counts, on the same queues; 0 for not at all
 * @param seconds how long it counts, unless the requests end before
 * @param batch completions to wait for before others are submitted in their place
 */
record Load(int queues, int depth, int blockBytes, double warmSeconds, double seconds, int batch) {
    private static final OperatingSystemMXBean SYSTEM =
            ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);

    /** Nothing waits for anything else. */
    Load(int queues, int depth, int blockBytes, double warmSeconds, double seconds) {
        this(queues, depth, blockBytes, warmSeconds, seconds, 1);
    }

    /**
     * What was counted.
     *
     * @param requests that completed on all queues
     * @param seconds until the last queue was done
     * @param cpuSeconds processor time of the whole process meanwhile
     */
    record Count(long requests, double seconds, double cpuSeconds) {
        double perSecond() {
            return requests / seconds;
        }

        Count plus(Count other) {
            return new Count(requests + other.requests, seconds + other.seconds, cpuSeconds + other.cpuSeconds);
        }
    }

    /** Something that a thread does for a time. */
    interface Lane extends AutoCloseable {
        /** Answers with how many requests completed. */
        long runFor(double seconds) throws IOException;

        @Override
        default void close() throws IOException {}
    }

    /** Opens a lane on the thread that runs it. */
    interface Lanes {
        Lane open(int number) throws IOException;
    }

    /** Runs it on a disk. */
    Count on(Disk disk, Source.PerQueue sources) throws IOException {
        return of(number -> new Feed(disk.openRequestQueue(depth), sources.of(number), this));
    }

    /** Runs any lanes, all at once, one a thread. */
    Count of(Lanes lanes) throws IOException {
        AtomicLong cpuAtStart = new AtomicLong();
        AtomicLong start = new AtomicLong();
        CyclicBarrier warm = new CyclicBarrier(queues, () -> {
            cpuAtStart.set(SYSTEM.getProcessCpuTime());
            start.set(System.nanoTime());
        });
        long[] requests = new long[queues];
        long[] nanos = new long[queues];
        AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
        Thread[] threads = new Thread[queues];
        for (int i = 0; i < queues; i++) {
            int number = i;
            threads[i] = Thread.ofPlatform().name("load-" + i).start(() -> {
                try (Lane lane = lanes.open(number)) {
                    if (warmSeconds > 0) {
                        lane.runFor(warmSeconds);
                    }
                    warm.await();
                    requests[number] = lane.runFor(seconds);
                    // From when the first could begin: one that the scheduler let wait has taken its time all the same.
                    nanos[number] = System.nanoTime() - start.get();
                } catch (IOException | RuntimeException | Error | InterruptedException | BrokenBarrierException e) {
                    failure.compareAndSet(null, e);
                    warm.reset();
                }
            });
        }
        try {
            for (Thread thread : threads) {
                thread.join();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
        Throwable failed = failure.get();
        if (failed != null) {
            throw new IOException("a request failed: " + failed, failed);
        }
        return new Count(
                Arrays.stream(requests).sum(),
                Arrays.stream(nanos).max().orElseThrow() / 1e9,
                (SYSTEM.getProcessCpuTime() - cpuAtStart.get()) / 1e9);
    }

    /** One queue, kept full. */
    private static final class Feed implements Lane, RequestQueue.Handler {
        private final RequestQueue queue;
        private final Source source;
        private final MemorySegment[] buffers;
        private final int batch;
        private long requests;
        private long end;
        private boolean over;
        private @Nullable Throwable failure;

        Feed(RequestQueue queue, Source source, Load load) throws IOException {
            this.queue = queue;
            this.source = source;
            this.batch = load.batch;
            this.buffers = new MemorySegment[load.depth];
            for (int i = 0; i < buffers.length; i++) {
                buffers[i] = queue.allocate(load.blockBytes);
                buffers[i].fill((byte) (i + 1));
            }
        }

        @Override
        public void close() throws IOException {
            queue.close();
        }

        @Override
        public long runFor(double seconds) throws IOException {
            end = System.nanoTime() + (long) (seconds * 1e9);
            requests = 0;
            over = false;
            for (int i = 0; i < buffers.length && !over; i++) {
                submit(i);
            }
            while (queue.inFlight() > 0) {
                queue.await(batch, this);
                over |= System.nanoTime() >= end;
            }
            if (failure != null) {
                throw new IOException(failure);
            }
            return requests;
        }

        private void submit(int slot) {
            Request request = source.next(slot, buffers[slot]);
            if (request == null) {
                over = true;
            } else {
                queue.submit(request);
            }
        }

        @Override
        public void completed(long token, @Nullable Throwable failed) {
            requests++;
            if (failed != null) {
                failure = failed;
                over = true;
            }
            if (!over) {
                submit((int) token);
            }
        }
    }
}
