package dev.cowherd.bench.hotpath;

import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.DiskQueue;
import dev.cowherd.image.Engine;
import dev.cowherd.image.Request;
import dev.cowherd.image.RequestQueue;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/** Reads and overwrites of 4 KiB anywhere on a disk: by its blocking queue, and {@value #DEPTH} at a time by a request queue. */
public class Requests {
    /** The system property that names the image. */
    public static final String IMAGE = "cowherd.bench.image";

    private static final int BLOCK = 4096;
    private static final int DEPTH = 32;

    /** A blocking queue, of the thread that uses it. */
    @State(Scope.Thread)
    @SuppressWarnings("NullAway.Init") // JMH calls open first
    public static class Blocking {
        private Disk disk;
        private DiskQueue queue;
        private Arena arena;
        private MemorySegment block;
        private long random;

        /**
         * Opens it.
         *
         * @throws IOException if the host fails
         */
        @Setup(Level.Iteration)
        public void open() throws IOException {
            disk = Disk.open(image(), DiskOptions.defaults().withWritable(true));
            queue = disk.openQueue();
            arena = Arena.ofConfined();
            block = arena.allocate(BLOCK, BLOCK);
            random = 1;
        }

        /**
         * Closes it.
         *
         * @throws IOException if the host fails
         */
        @TearDown(Level.Iteration)
        public void close() throws IOException {
            queue.close();
            disk.close();
            arena.close();
        }

        private long next() {
            random = Requests.next(random);
            return offset(random, disk);
        }
    }

    /** A request queue, of the thread that uses it. */
    @State(Scope.Thread)
    @SuppressWarnings("NullAway.Init") // JMH calls open first
    public static class Deep implements RequestQueue.Handler {
        /** Which engine. */
        @Param({"SYNC", "RING"})
        public Engine engine;

        private Disk disk;
        private RequestQueue queue;
        private MemorySegment[] blocks;
        private long random;

        /**
         * Opens it.
         *
         * @throws IOException if the host fails
         */
        @Setup(Level.Iteration)
        public void open() throws IOException {
            disk = Disk.open(image(), DiskOptions.defaults().withWritable(true).withEngine(engine));
            queue = disk.openRequestQueue(DEPTH);
            blocks = new MemorySegment[DEPTH];
            for (int i = 0; i < DEPTH; i++) {
                blocks[i] = queue.allocate(BLOCK);
            }
            random = 1;
        }

        /**
         * Closes it.
         *
         * @throws IOException if the host fails
         */
        @TearDown(Level.Iteration)
        public void close() throws IOException {
            queue.close();
            disk.close();
        }

        @Override
        public void completed(long token, @Nullable Throwable failure) {
            if (failure != null) {
                throw new IllegalStateException(failure);
            }
        }

        private long next() {
            random = Requests.next(random);
            return offset(random, disk);
        }

        private void awaitAll() throws IOException {
            while (queue.inFlight() > 0) {
                queue.await(queue.inFlight(), this);
            }
        }
    }

    /**
     * A read that the thread waits for.
     *
     * @param on the queue
     * @throws IOException if it fails
     */
    @Benchmark
    public void blockingRead(Blocking on) throws IOException {
        on.queue.read(on.next(), on.block);
    }

    /**
     * An overwrite that the thread waits for.
     *
     * @param on the queue
     * @throws IOException if it fails
     */
    @Benchmark
    public void blockingWrite(Blocking on) throws IOException {
        on.queue.write(on.next(), on.block);
    }

    /**
     * Reads, submitted together and taken back together; the {@link Request} of each is the caller's and counts too.
     *
     * @param on the queue
     * @throws IOException if one fails
     */
    @Benchmark
    @OperationsPerInvocation(DEPTH)
    public void deepRead(Deep on) throws IOException {
        for (int i = 0; i < DEPTH; i++) {
            on.queue.submit(new Request.Read(i, on.next(), on.blocks[i]));
        }
        on.awaitAll();
    }

    /**
     * The same with overwrites.
     *
     * @param on the queue
     * @throws IOException if one fails
     */
    @Benchmark
    @OperationsPerInvocation(DEPTH)
    public void deepWrite(Deep on) throws IOException {
        for (int i = 0; i < DEPTH; i++) {
            on.queue.submit(new Request.Write(i, on.next(), on.blocks[i]));
        }
        on.awaitAll();
    }

    private static Path image() {
        return Path.of(System.getProperty(IMAGE, "no image named"));
    }

    private static long next(long random) {
        long state = random ^ (random << 13);
        state ^= state >>> 7;
        return state ^ state << 17;
    }

    private static long offset(long random, Disk disk) {
        return Math.multiplyHigh(random >>> 1, (disk.sizeBytes() / BLOCK) << 1) * BLOCK;
    }
}
