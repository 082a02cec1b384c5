package dev.cowherd.testkit;

import dev.cowherd.testkit.ImageRecipe.Compression;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Random;

/**
 * What a guest does to a disk, as {@code qemu-io} commands: data in runs and in crumbs, zeros, discards, compressed
 * clusters.
 *
 * <p>Data comes from files of random bytes whose length is a prime, so that a byte read from the wrong place differs.
 */
final class GuestWrites {
    private static final int[] PATTERN_BYTES = {100_003, 150_001, 200_003, 65_537, 70_001, 90_001};
    private static final int FIRST_COMPRESSIBLE = 3;
    private static final long LONGEST_RUN = 1 << 20;

    private final Path patterns;

    /**
     * Prepares the pattern files.
     *
     * @param folder where they are put, or already are
     */
    GuestWrites(Path folder) throws IOException {
        this.patterns = folder;
        for (int i = 0; i < PATTERN_BYTES.length; i++) {
            byte[] bytes = new byte[PATTERN_BYTES[i]];
            Random random = new Random(i);
            if (i >= FIRST_COMPRESSIBLE) {
                fillCompressible(bytes, random);
            } else {
                random.nextBytes(bytes);
            }
            Files.write(pattern(i), bytes);
        }
    }

    /**
     * Some commands on a disk of that size that the recipe's image can take.
     *
     * @param touched clusters that were written before, added to: QEMU compresses only what is not allocated yet
     */
    List<String> commands(ImageRecipe recipe, long sizeBytes, BitSet touched, Random random) {
        List<String> commands = new ArrayList<>();
        int count = 10 + random.nextInt(10);
        for (int i = 0; i < count; i++) {
            boolean compress = recipe.compression() != Compression.NONE && i < count / 3;
            String command = compress
                    ? compressed(recipe, sizeBytes, touched, random)
                    : switch (random.nextInt(6)) {
                        case 0, 1 -> run(recipe, sizeBytes, touched, random);
                        case 2, 3 -> crumb(recipe, sizeBytes, touched, random);
                        case 4 ->
                            (random.nextBoolean() ? "write -z " : "write -z -u ")
                                    + range(recipe, sizeBytes, touched, random);
                        default -> "discard " + range(recipe, sizeBytes, touched, random);
                    };
            commands.add(command);
        }
        // The last bytes of the disk are where most readers go wrong.
        long tail = Math.min(sizeBytes, 1 + random.nextInt(3000));
        commands.add(data(recipe, sizeBytes, sizeBytes - tail, tail, touched, random));
        return commands;
    }

    /** Some bytes for a raw layer, by the same patterns. */
    byte[] pattern(Random random, int length) throws IOException {
        byte[] source = Files.readAllBytes(pattern(random.nextInt(PATTERN_BYTES.length)));
        byte[] bytes = new byte[length];
        for (int at = 0; at < length; at += source.length) {
            System.arraycopy(source, 0, bytes, at, Math.min(source.length, length - at));
        }
        return bytes;
    }

    private String run(ImageRecipe recipe, long sizeBytes, BitSet touched, Random random) {
        long clusters = Math.max(1, Math.min(20, LONGEST_RUN / recipe.clusterBytes()));
        long length = (1 + random.nextLong(clusters)) * recipe.clusterBytes();
        return data(recipe, sizeBytes, clusterIn(recipe, sizeBytes, random), length, touched, random);
    }

    private String crumb(ImageRecipe recipe, long sizeBytes, BitSet touched, Random random) {
        long offset = clusterIn(recipe, sizeBytes, random) + random.nextInt(recipe.clusterBytes());
        long length = 1L + random.nextInt(Math.min(3 * recipe.clusterBytes(), 100_000));
        return data(recipe, sizeBytes, Math.min(offset, sizeBytes - 1), length, touched, random);
    }

    private String data(ImageRecipe recipe, long sizeBytes, long offset, long length, BitSet touched, Random random) {
        long within = touch(recipe, sizeBytes, offset, length, touched);
        return "write -s " + pattern(random.nextInt(PATTERN_BYTES.length)) + " " + offset + " " + within;
    }

    private static String range(ImageRecipe recipe, long sizeBytes, BitSet touched, Random random) {
        long unit = random.nextBoolean() ? recipe.clusterBytes() : Math.max(512, recipe.clusterBytes() / 32);
        long offset = random.nextLong((sizeBytes + unit - 1) / unit) * unit;
        long length = (1 + random.nextInt(5)) * unit;
        return offset + " " + touch(recipe, sizeBytes, offset, length, touched);
    }

    private String compressed(ImageRecipe recipe, long sizeBytes, BitSet touched, Random random) {
        long offset = clusterIn(recipe, sizeBytes, random);
        int first = Math.toIntExact(offset / recipe.clusterBytes());
        int next = touched.nextSetBit(first);
        long free = next < 0 ? Long.MAX_VALUE : next - first;
        if (free == 0) {
            return run(recipe, sizeBytes, touched, random);
        }
        long length = Math.min(free, 1 + random.nextInt(2)) * recipe.clusterBytes();
        long within = touch(recipe, sizeBytes, offset, length, touched);
        // Now and then bytes that do not compress: such a cluster is stored as it is.
        int pattern = random.nextInt(5) == 0 ? 0 : FIRST_COMPRESSIBLE + random.nextInt(3);
        return "write -c -s " + pattern(pattern) + " " + offset + " " + within;
    }

    /** Marks what a command touches, and cuts it at the disk's end. */
    private static long touch(ImageRecipe recipe, long sizeBytes, long offset, long length, BitSet touched) {
        long within = Math.min(length, sizeBytes - offset);
        long end = (offset + within + recipe.clusterBytes() - 1) / recipe.clusterBytes();
        touched.set(Math.toIntExact(offset / recipe.clusterBytes()), Math.toIntExact(end));
        return within;
    }

    private static long clusterIn(ImageRecipe recipe, long sizeBytes, Random random) {
        long clusters = (sizeBytes + recipe.clusterBytes() - 1) / recipe.clusterBytes();
        return random.nextLong(clusters) * recipe.clusterBytes();
    }

    private Path pattern(int number) {
        return patterns.resolve("pattern-" + number);
    }

    private static void fillCompressible(byte[] bytes, Random random) {
        for (int at = 0; at < bytes.length; ) {
            int length = Math.min(bytes.length - at, 1 + random.nextInt(60));
            byte value = (byte) random.nextInt(256);
            for (int end = at + length; at < end; at++) {
                bytes[at] = value;
            }
        }
    }
}
