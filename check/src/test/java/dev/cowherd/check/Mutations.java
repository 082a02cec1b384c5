package dev.cowherd.check;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;

/**
 * Breaks an image where it hurts: words of its tables, refcounts, snapshot entries. Reads the pristine image by itself to find
 * them; what each mutation did is told, so that a failure can be read.
 */
final class Mutations {
    private static final long OFFSET_MASK = 0x00ff_ffff_ffff_fe00L;

    private final ByteBuffer image;
    private final int clusterBytes;
    private final List<Integer> l1Words = new ArrayList<>();
    private final List<Integer> l2Words = new ArrayList<>();
    private final List<Integer> refcountTableWords = new ArrayList<>();
    private final List<Integer> refcountBytes = new ArrayList<>();
    private final List<Integer> snapshotEntries = new ArrayList<>();
    private final List<Integer> bitmapTableWords = new ArrayList<>();

    Mutations(byte[] pristine) {
        image = ByteBuffer.wrap(pristine);
        clusterBytes = 1 << image.getInt(20);
        addL1((int) image.getLong(40), image.getInt(36));
        int table = (int) image.getLong(48);
        for (int i = 0; i < Math.min(clusterBytes / 8, 6); i++) {
            refcountTableWords.add(table + 8 * i);
            int block = (int) image.getLong(table + 8 * i);
            int used = Math.min(clusterBytes, pristine.length / clusterBytes * 4);
            for (int j = 0; block != 0 && j < used; j++) {
                refcountBytes.add(block + j);
            }
        }
        int at = (int) image.getLong(64);
        for (int i = 0; i < image.getInt(60); i++) {
            snapshotEntries.add(at);
            addL1((int) image.getLong(at), image.getInt(at + 8));
            int names = image.getShort(at + 12) + image.getShort(at + 14);
            at = (at + 40 + image.getInt(at + 36) + names + 7) & -8;
        }
        addBitmaps();
    }

    private void addL1(int offset, int entries) {
        for (int i = 0; i < entries; i++) {
            l1Words.add(offset + 8 * i);
            int l2 = (int) (image.getLong(offset + 8 * i) & OFFSET_MASK);
            for (int j = 0; l2 != 0 && j < clusterBytes / 8; j++) {
                l2Words.add(l2 + 8 * j);
            }
        }
    }

    private void addBitmaps() {
        if (image.getInt(4) < 3 || image.getLong(88) == 0) {
            return;
        }
        int at = image.getInt(100);
        while (image.getInt(at) != 0x2385_2875) {
            at += 8 + ((image.getInt(at + 4) + 7) & -8);
        }
        int directory = (int) image.getLong(at + 24);
        int table = (int) image.getLong(directory);
        for (int i = 0; i < image.getInt(directory + 8); i++) {
            bitmapTableWords.add(table + 8 * i);
        }
    }

    /** Breaks one to four things; the answer tells by offset what bytes to write there. */
    Map<Integer, byte[]> breakSome(Random random, StringBuilder told) {
        TreeMap<Integer, byte[]> patches = new TreeMap<>();
        int count = 1 + random.nextInt(4);
        for (int i = 0; i < count; i++) {
            switch (random.nextInt(12)) {
                case 0 -> word("L1", l1Words, random, patches, told);
                case 1, 2, 3, 4, 5 -> word("L2", l2Words, random, patches, told);
                case 6 -> word("refcount table", refcountTableWords, random, patches, told);
                case 7, 8, 9 -> refcount(random, patches, told);
                case 10 -> snapshot(random, patches, told);
                default -> word("bitmap table", bitmapTableWords, random, patches, told);
            }
        }
        return patches;
    }

    private void word(
            String kind, List<Integer> words, Random random, Map<Integer, byte[]> patches, StringBuilder told) {
        if (words.isEmpty()) {
            return;
        }
        int at = pick(words, random);
        // Entries in use are the interesting ones, and rare.
        for (int tries = 0; tries < 20 && image.getLong(at) == 0; tries++) {
            at = pick(words, random);
        }
        put(kind, at, brokenWord(image.getLong(at), words, random), patches, told);
    }

    private long brokenWord(long word, List<Integer> words, Random random) {
        long cluster = (long) clusterBytes * random.nextInt(image.capacity() / clusterBytes + 3);
        return switch (random.nextInt(13)) {
            case 0 -> word ^ 1L << random.nextInt(64);
            case 1 -> image.getLong(pick(words, random));
            case 2 -> 0;
            case 3 -> word ^ 1L << 63;
            case 4 -> word + image.capacity();
            case 5 -> word + 512;
            case 6 -> word | 1L << (1 + random.nextInt(8));
            case 7 -> word | 1L << (56 + random.nextInt(6));
            case 8 -> cluster | 1L << 63;
            case 9 -> cluster;
            case 10 -> cluster + 512L * random.nextInt(clusterBytes / 512);
            case 11 ->
                1L << 62
                        | (long) random.nextInt(4) << (70 - Integer.numberOfTrailingZeros(clusterBytes))
                        | random.nextInt(image.capacity() + clusterBytes);
            default -> random.nextLong();
        };
    }

    private void refcount(Random random, Map<Integer, byte[]> patches, StringBuilder told) {
        int at = pick(refcountBytes, random);
        byte value = (byte)
                switch (random.nextInt(4)) {
                    case 0 -> 0;
                    case 1 -> image.get(at) ^ 1 << random.nextInt(8);
                    case 2 -> image.get(at) + 1;
                    default -> random.nextInt();
                };
        patches.put(at, new byte[] {value});
        told.append("refcount byte 0x%x=0x%02x ".formatted(at, value));
    }

    private void snapshot(Random random, Map<Integer, byte[]> patches, StringBuilder told) {
        if (snapshotEntries.isEmpty()) {
            return;
        }
        int at = pick(snapshotEntries, random);
        switch (random.nextInt(5)) {
            case 0 ->
                put(
                        "snapshot L1 offset",
                        at,
                        brokenWord(image.getLong(at), l1Words, random) & ~(1L << 63),
                        patches,
                        told);
            case 1 -> putInt("snapshot L1 entries", at + 8, image.getInt(at + 8) + random.nextInt(5), patches, told);
            case 2 -> putInt("snapshot L1 entries", at + 8, random.nextInt(), patches, told);
            case 3 -> putInt("snapshot extra bytes", at + 36, 8 * random.nextInt(4), patches, told);
            default -> putInt("snapshot extra bytes", at + 36, random.nextInt(2000), patches, told);
        }
    }

    private static void put(String kind, int at, long value, Map<Integer, byte[]> patches, StringBuilder told) {
        patches.put(at, ByteBuffer.allocate(8).putLong(value).array());
        told.append("%s 0x%x=0x%x ".formatted(kind, at, value));
    }

    private static void putInt(String kind, int at, int value, Map<Integer, byte[]> patches, StringBuilder told) {
        patches.put(at, ByteBuffer.allocate(4).putInt(value).array());
        told.append("%s 0x%x=0x%x ".formatted(kind, at, value));
    }

    private static int pick(List<Integer> from, Random random) {
        return from.get(random.nextInt(from.size()));
    }
}
