package dev.cowherd.storage;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.SplittableRandom;

/**
 * Compares random reads of a page-cached file: a bare pread by FFM, this module's read, and FileChannel. Not a test; run its
 * main method on an idle machine. The ways take turns at random in one process, and the best of many short
 * rounds counts for each.
 */
final class HostReadComparison {
    private static final long FILE_BYTES = 64L << 20;
    private static final int ROUNDS = 1500;
    private static final long ROUND_BYTES = 4L << 20;

    private static final MethodHandle PREAD = Linker.nativeLinker()
            .downcallHandle(
                    Linker.nativeLinker().defaultLookup().find("pread").orElseThrow(),
                    FunctionDescriptor.of(
                            ValueLayout.JAVA_LONG,
                            ValueLayout.JAVA_INT,
                            ValueLayout.ADDRESS,
                            ValueLayout.JAVA_LONG,
                            ValueLayout.JAVA_LONG));

    private HostReadComparison() {}

    /** One way to read. */
    private interface Way {
        long read(long offset) throws Throwable;
    }

    public static void main(String[] args) throws Throwable {
        Path path = Files.createTempFile("cowherd", ".raw");
        try {
            byte[] content = new byte[1 << 20];
            new SplittableRandom(1).nextBytes(content);
            try (var out = Files.newOutputStream(path)) {
                for (long at = 0; at < FILE_BYTES; at += content.length) {
                    out.write(content);
                }
            }
            for (int size : new int[] {4096, 65536}) {
                compare(path, size);
            }
        } finally {
            Files.delete(path);
        }
    }

    private static void compare(Path path, int size) throws Throwable {
        FileOptions options = FileOptions.reading();
        Descriptors.Access access = new Descriptors.Access(path.toString(), options);
        int fd = access.open().fd();
        try (Arena arena = Arena.ofShared();
                Storage storage = FileStorage.open(path, options);
                FileChannel channel = FileChannel.open(path)) {
            MemorySegment room = arena.allocate(size, 4096);
            MemorySegment confined = Arena.ofConfined().allocate(size, 4096);
            MemorySegment[] one = {room};
            MemorySegment[] two = {room.asSlice(0, size / 2), room.asSlice(size / 2)};
            ByteBuffer direct = ByteBuffer.allocateDirect(size);
            ByteBuffer heap = ByteBuffer.allocate(size);
            String[] names = {
                "bare FFM pread",
                "Storage.read",
                "Storage.read, confined segment",
                "Storage.readv, one segment",
                "Storage.readv, two segments",
                "FileChannel, direct buffer",
                "FileChannel, heap buffer"
            };
            Way[] ways = {
                offset -> (long) PREAD.invokeExact(fd, room, (long) size, offset),
                offset -> storage.read(offset, room),
                offset -> storage.read(offset, confined),
                offset -> storage.readv(offset, one, 1),
                offset -> storage.readv(offset, two, 2),
                offset -> channel.read(direct.clear(), offset),
                offset -> channel.read(heap.clear(), offset),
            };
            double[] best = new double[ways.length];
            Arrays.fill(best, Double.MAX_VALUE);
            SplittableRandom order = new SplittableRandom(3);
            for (int round = 0; round < ROUNDS; round++) {
                // A way inherits the caches that the one before it left: any may come before any.
                for (int turn = 0; turn < ways.length; turn++) {
                    int w = order.nextInt(ways.length);
                    best[w] = Math.min(best[w], nanosPerRead(ways[w], size));
                }
            }
            for (int w = 0; w < ways.length; w++) {
                System.out.printf("%6d  %-32s %8.0f ns  %.2f%n", size, names[w], best[w], best[w] / best[0]);
            }
        }
    }

    private static double nanosPerRead(Way way, int size) throws Throwable {
        SplittableRandom random = new SplittableRandom(7);
        long blocks = FILE_BYTES / size;
        int count = (int) (ROUND_BYTES / size);
        long start = System.nanoTime();
        for (int i = 0; i < count; i++) {
            if (way.read(random.nextLong(blocks) * size) != size) {
                throw new IOException("short read");
            }
        }
        return (double) (System.nanoTime() - start) / count;
    }
}
