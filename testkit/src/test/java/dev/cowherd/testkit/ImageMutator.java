package dev.cowherd.testkit;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/**
 * Damages the metadata of a valid image at random: bytes, bits, whole words with values that are wrong in interesting
 * ways, and the file's length. It finds the tables by the specification's offsets, not by the engine's codecs.
 */
final class ImageMutator {
    private static final long OFFSET_BITS = 0x00fffffffffffe00L;
    private static final int HEADER_BYTES = 700;

    private final byte[] valid;
    private final List<int[]> places = new ArrayList<>();

    /** @param valid a whole file with a valid image */
    ImageMutator(byte[] valid) {
        this.valid = valid;
        ByteBuffer image = ByteBuffer.wrap(valid);
        int clusterBytes = 1 << image.getInt(20);
        addPlace(0, HEADER_BYTES);
        long l1 = image.getLong(40);
        int l1Entries = image.getInt(36);
        addPlace(l1, 8L * l1Entries);
        for (int i = 0; i < l1Entries; i++) {
            addPlace(image.getLong((int) l1 + 8 * i) & OFFSET_BITS, clusterBytes);
        }
        long refcountTable = image.getLong(48);
        addPlace(refcountTable, 64);
        addPlace(image.getLong((int) refcountTable) & OFFSET_BITS, 512);
        if (image.getInt(60) > 0) {
            addPlace(image.getLong(64), 300);
        }
    }

    private void addPlace(long offset, long length) {
        if (offset < valid.length && (offset > 0 || length == HEADER_BYTES)) {
            places.add(new int[] {(int) offset, (int) Math.min(length, valid.length - offset)});
        }
    }

    /** The image with one to four wounds. */
    byte[] mutate(Random random) {
        byte[] image = valid.clone();
        int wounds = 1 + random.nextInt(4);
        for (int i = 0; i < wounds; i++) {
            int[] place = places.get(random.nextInt(places.size()));
            wound(image, place[0], place[1], random);
        }
        return random.nextInt(12) == 0 ? Arrays.copyOf(image, random.nextInt(image.length)) : image;
    }

    private static void wound(byte[] image, int offset, int length, Random random) {
        int at = offset + random.nextInt(length);
        int word = Math.min(at & ~7, image.length - 8);
        ByteBuffer words = ByteBuffer.wrap(image);
        switch (random.nextInt(6)) {
            case 0 -> image[at] = (byte) random.nextInt(256);
            case 1 -> image[at] ^= (byte) (1 << random.nextInt(8));
            case 2 -> words.putLong(word, interesting(image.length, random));
            case 3 -> words.putLong(word, words.getLong(word) ^ 1L << random.nextInt(64));
            case 4 -> words.putInt(Math.min(at & ~3, image.length - 4), (int) interesting(image.length, random));
            default -> words.putLong(word, random.nextLong());
        }
    }

    private static long interesting(int fileBytes, Random random) {
        long[] values = {
            0,
            1,
            -1,
            Long.MIN_VALUE,
            Long.MAX_VALUE,
            fileBytes,
            fileBytes - 1,
            fileBytes & ~511L,
            512,
            1L << 62,
            1L << 56,
            65536
        };
        long flags = random.nextInt(4) == 0 ? (long) random.nextInt(4) << 62 : 0;
        return random.nextInt(3) == 0
                ? (long) random.nextInt(fileBytes / 512) * 512 | flags
                : values[random.nextInt(values.length)];
    }
}
