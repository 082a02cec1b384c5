package dev.cowherd.testkit;

import dev.cowherd.image.Disk;
import dev.cowherd.image.Engine;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** Reads a disk from one or many queues, by either engine, and compares every byte with what it must be. */
final class GuestReads {
    private static final int LARGEST_READ = 3 << 20;
    private static final byte UNREAD = (byte) 0xdb;

    private final Disk disk;
    private final MemorySegment expected;
    private final String what;

    /** @param what names image and seed in errors */
    GuestReads(Disk disk, byte[] expected, String what) {
        this.disk = disk;
        this.expected = MemorySegment.ofArray(expected);
        this.what = what;
        if (disk.sizeBytes() != expected.length) {
            throw new AssertionError(what + ": the disk has " + disk.sizeBytes() + " bytes, not " + expected.length);
        }
    }

    /** Reads all once, front to back, in pieces of random size. */
    void fromOneQueue(Engine engine, long seed) throws IOException {
        try (Arena arena = Arena.ofConfined();
                Reader reader = new Reader(Reads.of(engine, disk), arena)) {
            readAll(reader, new Random(seed));
            reader.finish();
        }
    }

    /** Every queue reads all once, from its own starting point, and then here and there. The engines take turns. */
    void fromQueues(int queues, long seed) throws Exception {
        try (ExecutorService threads = Executors.newFixedThreadPool(queues)) {
            List<Future<?>> all = new ArrayList<>();
            for (int i = 0; i < queues; i++) {
                Engine engine = Reads.engineOf(i);
                Random random = new Random(seed * 31 + i);
                all.add(threads.submit(() -> {
                    try (Arena arena = Arena.ofConfined();
                            Reader reader = new Reader(Reads.of(engine, disk), arena)) {
                        hereAndThere(reader, random);
                        share(reader, random, queues);
                        reader.finish();
                    }
                    return null;
                }));
            }
            for (Future<?> one : all) {
                finish(one);
            }
        }
    }

    /** One thread's reads, each to the next of its buffers, so that those in flight have one each. */
    private final class Reader implements AutoCloseable {
        private final Reads reads;
        private final MemorySegment[] buffers = new MemorySegment[Reads.DEPTH];
        private int next;

        Reader(Reads reads, Arena arena) {
            this.reads = reads;
            Arrays.setAll(buffers, i -> arena.allocate(LARGEST_READ));
        }

        void read(long offset, long length) throws IOException {
            int buffer = next++ % buffers.length;
            reads.await(buffer);
            MemorySegment bytes = buffers[buffer].asSlice(0, length).fill(UNREAD);
            reads.begin(buffer, offset, bytes, () -> compare(offset, bytes));
        }

        void finish() throws IOException {
            reads.finish();
        }

        @Override
        public void close() throws IOException {
            reads.close();
        }
    }

    private static void finish(Future<?> one) throws Exception {
        try {
            one.get();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof AssertionError error) {
                throw error;
            }
            throw e;
        }
    }

    private void readAll(Reader reader, Random random) throws IOException {
        for (long offset = 0; offset < expected.byteSize(); ) {
            long length = Math.min(length(random), expected.byteSize() - offset);
            reader.read(offset, length);
            offset += length;
        }
    }

    /** A random window of which the queues together cover the disk several times. */
    private void share(Reader reader, Random random, int queues) throws IOException {
        long size = expected.byteSize();
        long start = random.nextLong(size);
        long end = Math.min(size, start + 4 * size / queues + 1);
        for (long offset = start; offset < end; ) {
            long length = Math.min(length(random), end - offset);
            reader.read(offset, length);
            offset += length;
        }
    }

    private void hereAndThere(Reader reader, Random random) throws IOException {
        for (int i = 0; i < 60; i++) {
            long offset = random.nextLong(expected.byteSize());
            long length = Math.min(1 + random.nextInt(40_000), expected.byteSize() - offset);
            reader.read(offset, length);
        }
    }

    /** Reads one range. */
    void read(Reads reads, long offset, MemorySegment buffer) throws IOException {
        reads.read(offset, buffer.fill(UNREAD));
        compare(offset, buffer);
    }

    private void compare(long offset, MemorySegment buffer) {
        long at = buffer.mismatch(expected.asSlice(offset, buffer.byteSize()));
        if (at >= 0) {
            throw new AssertionError("%s: byte %d, read with %d bytes from %d, is 0x%02x instead of 0x%02x"
                    .formatted(
                            what,
                            offset + at,
                            buffer.byteSize(),
                            offset,
                            buffer.get(ValueLayout.JAVA_BYTE, at),
                            expected.get(ValueLayout.JAVA_BYTE, offset + at)));
        }
    }

    private static long length(Random random) {
        return switch (random.nextInt(4)) {
            case 0 -> 1L + random.nextInt(5_000);
            case 1 -> 4096;
            case 2 -> 1L + random.nextInt(200_000);
            default -> 1L + random.nextInt(LARGEST_READ);
        };
    }
}
