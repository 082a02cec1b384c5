package dev.cowherd.testkit;

import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskQueue;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** Reads a disk from one or many queues and compares every byte with what it must be. */
final class GuestReads {
    private static final int LARGEST_READ = 3 << 20;

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
    void fromOneQueue(long seed) throws IOException {
        try (DiskQueue queue = disk.openQueue();
                Arena arena = Arena.ofConfined()) {
            readAll(queue, arena.allocate(LARGEST_READ), new Random(seed));
        }
    }

    /** Every queue reads all once, from its own starting point, and then here and there. */
    void fromQueues(int queues, long seed) throws Exception {
        try (ExecutorService threads = Executors.newFixedThreadPool(queues)) {
            List<Future<?>> all = new ArrayList<>();
            for (int i = 0; i < queues; i++) {
                Random random = new Random(seed * 31 + i);
                all.add(threads.submit(() -> {
                    try (DiskQueue queue = disk.openQueue();
                            Arena arena = Arena.ofConfined()) {
                        MemorySegment buffer = arena.allocate(LARGEST_READ);
                        hereAndThere(queue, buffer, random);
                        share(queue, buffer, random, queues);
                    }
                    return null;
                }));
            }
            for (Future<?> one : all) {
                finish(one);
            }
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

    private void readAll(DiskQueue queue, MemorySegment buffer, Random random) throws IOException {
        for (long offset = 0; offset < expected.byteSize(); ) {
            long length = Math.min(length(random), expected.byteSize() - offset);
            read(queue, offset, buffer.asSlice(0, length));
            offset += length;
        }
    }

    /** A random window of which the queues together cover the disk several times. */
    private void share(DiskQueue queue, MemorySegment buffer, Random random, int queues) throws IOException {
        long size = expected.byteSize();
        long start = random.nextLong(size);
        long end = Math.min(size, start + 4 * size / queues + 1);
        for (long offset = start; offset < end; ) {
            long length = Math.min(length(random), end - offset);
            read(queue, offset, buffer.asSlice(0, length));
            offset += length;
        }
    }

    private void hereAndThere(DiskQueue queue, MemorySegment buffer, Random random) throws IOException {
        for (int i = 0; i < 60; i++) {
            long offset = random.nextLong(expected.byteSize());
            long length = Math.min(1 + random.nextInt(40_000), expected.byteSize() - offset);
            read(queue, offset, buffer.asSlice(0, length));
        }
    }

    /** Reads one range. */
    void read(DiskQueue queue, long offset, MemorySegment buffer) throws IOException {
        buffer.fill((byte) 0xdb);
        queue.read(offset, buffer);
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
