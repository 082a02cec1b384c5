package dev.cowherd.testkit;

import static dev.cowherd.testkit.HandMadeImage.*;
import static dev.cowherd.testkit.HostileImage.either;
import static dev.cowherd.testkit.HostileImage.read;
import static dev.cowherd.testkit.HostileImage.refused;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/** Rows 25 to 34: what single entries of L1, L2 and refcount tables claim. */
final class HostileEntries {
    private static final long DATA = 5L << 16;

    private HostileEntries() {}

    static List<HostileImage> all() {
        List<HostileImage> all = new ArrayList<>();
        all.addAll(words());
        all.addAll(places());
        all.addAll(owners());
        all.addAll(streams());
        all.addAll(subclusters());
        return all;
    }

    private static List<HostileImage> words() {
        List<HostileImage> all = new ArrayList<>();
        for (int bit : new int[] {0, 1, 8, 56, 61, 62}) {
            all.add(refused(25, "L1 entry with bit " + bit, () -> plain().l1(0, 4L << 16 | COPIED | 1L << bit)));
        }
        for (int bit : new int[] {1, 8, 56, 61}) {
            all.add(refused(25, "L2 entry with bit " + bit, () -> plain().l2(0, DATA | COPIED | 1L << bit)));
        }
        for (long offset : new long[] {(4L << 16) + 512, (4L << 16) + 32768}) {
            all.add(refused(
                    26, "L2 table at " + offset + ", no cluster's start", () -> plain().l1(0, offset | COPIED)));
        }
        for (long offset : new long[] {DATA + 512, DATA + 32768}) {
            all.add(refused(26, "data at " + offset + ", no cluster's start", () -> plain().l2(0, offset | COPIED)));
        }
        for (long offset : new long[] {9L << 16, 1L << 32, 1L << 50, (1L << 56) - 65536}) {
            String place = Long.toHexString(offset);
            all.add(refused(27, "L2 table at 0x" + place + ", past the end", () -> plain().l1(0, offset | COPIED)));
            all.add(either(27, "data at 0x" + place + ", past the end", () -> plain().l2(0, offset | COPIED)));
        }
        all.add(refused(27, "L2 table cut by the file's end", () -> plain().fileBytes((4L << 16) + 100)));
        all.add(either(
                27,
                "data cluster cut by the file's end",
                () -> plain().l2(1, 8L << 16 | COPIED).fileBytes((8L << 16) + 100)));
        all.add(either(28, "L1 entry with COPIED and offset 0", () -> plain().l1(0, COPIED)));
        all.add(either(28, "L2 entry with COPIED and offset 0", () -> plain().l2(0, COPIED)));
        all.add(refused(28, "compressed at offset 0", () -> plain().l2(0, COMPRESSED)));
        return all;
    }

    private static List<HostileImage> places() {
        List<HostileImage> all = new ArrayList<>();
        String[] owners = {"header", "refcount table", "refcount block", "L1 table", "L2 table"};
        for (int cluster = 0; cluster < owners.length; cluster++) {
            long offset = (long) cluster << 16;
            all.add(either(29, "data in the " + owners[cluster], () -> plain().l2(0, offset | COPIED)));
            if (cluster > 0 && cluster < 4) {
                all.add(either(29, "L2 table in the " + owners[cluster], () -> plain().l1(0, offset | COPIED)));
            }
            all.add(either(
                    29,
                    "compressed data in the " + owners[cluster],
                    () -> plain().l2(0, COMPRESSED | offset | 127L << 54)));
        }
        all.add(either(
                29,
                "data in the snapshot table",
                () -> plain().snapshot(3L << 16, 1).l2(0, 8L << 16 | COPIED)));
        all.add(either(29, "refcount block in the refcount table", () -> plain().put64(65536, 65536)));
        all.add(read(
                29,
                "one L2 table for two L1 entries",
                () -> plain().put64(SIZE, 2L << 29).put32(L1_SIZE, 2).l1(1, 4L << 16 | COPIED)));
        return all;
    }

    private static List<HostileImage> owners() {
        List<HostileImage> all = new ArrayList<>(List.of(
                read(30, "two guest clusters in one host cluster, both COPIED", () -> plain().l2(1, DATA | COPIED)),
                read(31, "refcount 0 of a data cluster", () -> plain().refcount(5, 0)),
                read(31, "refcount 0 of the L2 table", () -> plain().refcount(4, 0)),
                read(31, "refcount 0 of the header", () -> plain().refcount(0, 0)),
                read(31, "refcount 65535 of a data cluster", () -> plain().refcount(5, 65535)),
                read(32, "refcount block that does not cover itself", () -> plain().refcount(2, 0)),
                read(32, "no refcount block", () -> plain().put64(65536, 0))));
        for (int order = 0; order <= 6; order++) {
            int width = order;
            all.add(read(31, "highest refcounts at order " + order, () -> {
                HandMadeImage image = plain().put32(REFCOUNT_ORDER, width);
                byte[] ones = new byte[9 << width];
                Arrays.fill(ones, (byte) 0xff);
                return image.put(2L << 16, ones);
            }));
        }
        return all;
    }

    private static List<HostileImage> streams() {
        byte[] shortStream = deflate(new byte[1000]);
        byte[] bomb = deflate(new byte[16 << 20]);
        byte[] noise = new byte[5000];
        Arrays.fill(noise, (byte) 0xff);
        // A frame that claims 2^56 bytes of content in one segment, and then nothing.
        byte[] frame = {0x28, (byte) 0xb5, 0x2f, (byte) 0xfd, (byte) 0xe0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0};
        // A frame that claims a window of 2^41 bytes.
        byte[] window = {0x28, (byte) 0xb5, 0x2f, (byte) 0xfd, 0, (byte) 0xf8, 1, 0, 0, 0, 0, 0};
        return List.of(
                refused(33, "compressed data past the end", () -> plain().l2(2, COMPRESSED | 9L << 16)),
                refused(33, "compressed data at 2^53", () -> plain().l2(2, COMPRESSED | 1L << 53)),
                refused(33, "compressed noise", () -> plain().compressed(2, noise)),
                refused(33, "compressed to 1000 bytes", () -> plain().compressed(2, shortStream)),
                refused(33, "compressed nothing", () -> plain().compressed(2, new byte[512])),
                either(33, "stream of 16 MiB", () -> plain().compressed(2, Arrays.copyOf(bomb, 65536))),
                refused(
                        33,
                        "stream cut",
                        () -> plain().compressed(2, Arrays.copyOf(deflate(distinct()), 512))
                                .put(7L << 16 | 512, new byte[65536 - 512])),
                refused(33, "zstd frame that claims 2^56 bytes", () -> zstd().compressed(2, frame)),
                refused(33, "zstd frame that claims a window of 2^41 bytes", () -> zstd().compressed(2, window)),
                refused(33, "zstd noise", () -> zstd().compressed(2, noise)),
                refused(33, "deflate in a zstd image", () -> zstd().compressed(2, deflate(new byte[65536]))),
                refused(33, "zstd in a deflate image", () -> plain().compressed(2, frame)));
    }

    private static byte[] distinct() {
        byte[] bytes = new byte[65536];
        new Random(7).nextBytes(bytes);
        return Arrays.copyOf(bytes, 30000);
    }

    private static HandMadeImage zstd() {
        return plain().put64(INCOMPATIBLE, 1L << 3).put(COMPRESSION_TYPE, (byte) 1);
    }

    private static List<HostileImage> subclusters() {
        return List.of(
                read(34, "a valid image with subclusters", HandMadeImage::extended),
                refused(34, "subcluster allocated and zero", () -> extended().l2(0, DATA | COPIED, 1L << 32 | 1)),
                refused(34, "all bits of subclusters", () -> extended().l2(0, DATA | COPIED, -1)),
                refused(
                        34,
                        "subclusters allocated at no offset",
                        () -> extended().l2(0, 0, 1)),
                refused(34, "zero flag of a standard entry", () -> extended().l2(0, DATA | COPIED | 1, 1)),
                refused(34, "compressed with subclusters", () -> extended().l2(2, COMPRESSED | 7L << 16, 1)),
                refused(34, "clusters too small for subclusters", () -> of(3, 9).put64(INCOMPATIBLE, 1L << 4)));
    }
}
