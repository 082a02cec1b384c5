package dev.cowherd.bench;

import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.DiskQueue;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * Reads as fast as it can from one or more threads for a given time, through our queues or by bare preads.
 *
 * @param blockBytes bytes a read
 * @param random random aligned offsets, else one after another
 * @param seconds how long
 */
record ReadLoop(int blockBytes, boolean random, double seconds) {
    private static final int READS_BETWEEN_CLOCKS = 64;

    /** One thread's way to read: opened, used and closed on that thread. */
    interface Reader extends AutoCloseable {
        void read(long offset, MemorySegment destination) throws IOException;

        @Override
        void close() throws IOException;
    }

    /** Opens a reader for the thread that calls. */
    interface Opener {
        Reader open() throws IOException;
    }

    /** Reads a second through our queues. */
    double queues(Path image, int queues) throws IOException {
        try (Disk disk = Disk.open(image, DiskOptions.defaults())) {
            return perSecond(queues, disk.sizeBytes(), () -> {
                DiskQueue queue = disk.openQueue();
                return new Reader() {
                    @Override
                    public void read(long offset, MemorySegment destination) throws IOException {
                        queue.read(offset, destination);
                    }

                    @Override
                    public void close() throws IOException {
                        queue.close();
                    }
                };
            });
        }
    }

    /** Reads a second of a loop that does nothing but pread on the raw file. */
    double barePreads(Path raw, int threads) throws IOException {
        return perSecond(threads, java.nio.file.Files.size(raw), () -> {
            BarePread file = new BarePread(raw);
            return new Reader() {
                @Override
                public void read(long offset, MemorySegment destination) throws IOException {
                    file.read(offset, destination);
                }

                @Override
                public void close() throws IOException {
                    file.close();
                }
            };
        });
    }

    private double perSecond(int threads, long diskBytes, Opener opener) throws IOException {
        long blocks = diskBytes / blockBytes;
        CountDownLatch ready = new CountDownLatch(threads);
        CountDownLatch go = new CountDownLatch(1);
        double[] rates = new double[threads];
        AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
        Thread[] workers = new Thread[threads];
        for (int t = 0; t < threads; t++) {
            int number = t;
            workers[t] = Thread.ofPlatform().start(() -> {
                try (Arena arena = Arena.ofConfined();
                        Reader reader = opener.open()) {
                    MemorySegment buffer = arena.allocate(blockBytes, 4096);
                    // Warm: the JIT, the slices, the page cache.
                    loop(reader, buffer, blocks, 7919L + number, seconds / 2);
                    ready.countDown();
                    go.await();
                    rates[number] = loop(reader, buffer, blocks, 104729L + number, seconds);
                } catch (IOException | RuntimeException | Error | InterruptedException e) {
                    failure.set(e);
                    ready.countDown();
                }
            });
        }
        try {
            ready.await();
            go.countDown();
            for (Thread worker : workers) {
                worker.join();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
        Throwable failed = failure.get();
        if (failed != null) {
            throw new IOException("a reader failed: " + failed.getMessage(), failed);
        }
        double sum = 0;
        for (double rate : rates) {
            sum += rate;
        }
        return sum;
    }

    private double loop(Reader reader, MemorySegment buffer, long blocks, long seed, double forSeconds)
            throws IOException {
        long state = seed * 0x9E3779B97F4A7C15L;
        long next = Math.floorMod(seed, blocks);
        long reads = 0;
        long start = System.nanoTime();
        long end = start + (long) (forSeconds * 1e9);
        long now = start;
        while (now < end) {
            for (int i = 0; i < READS_BETWEEN_CLOCKS; i++) {
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
                reader.read(block * blockBytes, buffer);
            }
            reads += READS_BETWEEN_CLOCKS;
            now = System.nanoTime();
        }
        return reads / ((now - start) / 1e9);
    }
}
