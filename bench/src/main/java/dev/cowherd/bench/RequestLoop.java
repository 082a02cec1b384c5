package dev.cowherd.bench;

import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * Reads or writes as fast as it can from one or more threads for a given time, through our queues or by bare system calls.
 *
 * @param blockBytes bytes a request
 * @param random random aligned offsets, else one after another
 * @param seconds how long
 */
record RequestLoop(int blockBytes, boolean random, double seconds) {
    private static final int REQUESTS_BETWEEN_CLOCKS = 64;

    /** One thread's requests: opened, performed and closed on that thread. */
    interface Worker extends AutoCloseable {
        void perform(long offset, MemorySegment buffer) throws IOException;

        @Override
        void close() throws IOException;
    }

    /** Opens a worker for the thread that calls. */
    interface Opener {
        Worker open() throws IOException;
    }

    /** Reads a second through our queues. */
    double queues(Path image, int queues) throws IOException {
        try (Disk disk = Disk.open(image, DiskOptions.defaults())) {
            return perSecond(queues, disk.sizeBytes(), () -> QueueWorker.reading(disk));
        }
    }

    /** Writes a second through our queues. */
    double writingQueues(Path image, int queues) throws IOException {
        try (Disk disk = Disk.open(image, DiskOptions.defaults().withWritable(true))) {
            return perSecond(queues, disk.sizeBytes(), () -> QueueWorker.writing(disk));
        }
    }

    /** Reads a second of a loop that does nothing but pread on the raw file. */
    double barePreads(Path raw, int threads) throws IOException {
        return bare(raw, threads, Files.size(raw), BareFile::read);
    }

    /** Writes a second of a loop that does nothing but pwrite on the raw file. */
    double barePwrites(Path raw, int threads) throws IOException {
        return barePwrites(raw, threads, Files.size(raw));
    }

    /** The same within the first bytes. */
    double barePwrites(Path raw, int threads, long bytes) throws IOException {
        return bare(raw, threads, bytes, BareFile::write);
    }

    private interface Transfer {
        void perform(BareFile file, long offset, MemorySegment buffer) throws IOException;
    }

    private double bare(Path raw, int threads, long bytes, Transfer transfer) throws IOException {
        return perSecond(threads, bytes, () -> {
            BareFile file = new BareFile(raw);
            return new Worker() {
                @Override
                public void perform(long offset, MemorySegment buffer) throws IOException {
                    transfer.perform(file, offset, buffer);
                }

                @Override
                public void close() throws IOException {
                    file.close();
                }
            };
        });
    }

    /** Requests a second of so many threads, each with a worker of its own, on so many bytes. */
    double perSecond(int threads, long diskBytes, Opener opener) throws IOException {
        long blocks = diskBytes / blockBytes;
        CountDownLatch ready = new CountDownLatch(threads);
        CountDownLatch go = new CountDownLatch(1);
        double[] rates = new double[threads];
        AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
        Thread[] running = new Thread[threads];
        for (int t = 0; t < threads; t++) {
            int number = t;
            running[t] = Thread.ofPlatform().start(() -> {
                try (Arena arena = Arena.ofConfined();
                        Worker worker = opener.open()) {
                    MemorySegment buffer = arena.allocate(blockBytes, 4096);
                    // Warm: the JIT, the slices, the page cache.
                    loop(worker, buffer, blocks, 7919L + number, seconds / 2);
                    ready.countDown();
                    go.await();
                    rates[number] = loop(worker, buffer, blocks, 104729L + number, seconds);
                } catch (IOException | RuntimeException | Error | InterruptedException e) {
                    failure.set(e);
                    ready.countDown();
                }
            });
        }
        try {
            ready.await();
            go.countDown();
            for (Thread thread : running) {
                thread.join();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
        Throwable failed = failure.get();
        if (failed != null) {
            throw new IOException("a request failed: " + failed.getMessage(), failed);
        }
        double sum = 0;
        for (double rate : rates) {
            sum += rate;
        }
        return sum;
    }

    private double loop(Worker worker, MemorySegment buffer, long blocks, long seed, double forSeconds)
            throws IOException {
        long state = seed * 0x9E3779B97F4A7C15L;
        long next = Math.floorMod(seed, blocks);
        long requests = 0;
        long start = System.nanoTime();
        long end = start + (long) (forSeconds * 1e9);
        long now = start;
        while (now < end) {
            for (int i = 0; i < REQUESTS_BETWEEN_CLOCKS; i++) {
                long block;
                if (random) {
                    state ^= state << 13;
                    state ^= state >>> 7;
                    state ^= state << 17;
                    block = Math.multiplyHigh(state >>> 1, blocks << 1);
                } else {
                    block = next;
                    next = next + 1 == blocks ? 0 : next + 1;
                }
                worker.perform(block * blockBytes, buffer);
            }
            requests += REQUESTS_BETWEEN_CLOCKS;
            now = System.nanoTime();
        }
        return requests / ((now - start) / 1e9);
    }
}
