package dev.cowherd.testkit;

import static dev.cowherd.testkit.HandMadeImage.*;
import static dev.cowherd.testkit.HostileImage.either;
import static dev.cowherd.testkit.HostileImage.read;
import static dev.cowherd.testkit.HostileImage.refused;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/** Rows 18 to 24: where the tables lie and how long they claim to be. */
final class HostileTables {
    private static final long BITMAPS = 0x23852875L;

    private HostileTables() {}

    static List<HostileImage> all() {
        List<HostileImage> all = new ArrayList<>();
        all.addAll(l1());
        all.addAll(refcountTable());
        all.addAll(snapshots());
        all.addAll(bitmaps());
        return all;
    }

    private static List<HostileImage> l1() {
        List<HostileImage> all = new ArrayList<>();
        for (long offset : new long[] {1, 512, 0x30001, 0x30008, 0x30200}) {
            all.add(refused(
                    18, "L1 at " + offset + ", no cluster's start", offset, () -> plain().put64(L1_OFFSET, offset)));
        }
        for (long offset : new long[] {9L << 16, 1L << 40, 1L << 56, 1L << 62}) {
            all.add(refused(
                    18,
                    "L1 at 0x" + Long.toHexString(offset) + ", past the end",
                    () -> plain().put64(L1_OFFSET, offset)));
        }
        all.add(refused(18, "L1 at 2^63", () -> plain().put64(L1_OFFSET, 1L << 63)));
        all.add(refused(18, "L1 at 2^64 - 64 KiB", () -> plain().put64(L1_OFFSET, -65536)));
        for (long entries : new long[] {(32 << 20) / 8 + 1, 1L << 28, 1L << 31, 0xffffffffL}) {
            all.add(refused(19, "L1 of " + entries + " entries", () -> plain().put32(L1_SIZE, entries)));
        }
        all.add(refused(19, "L1 of no entry", () -> plain().put32(L1_SIZE, 0)));
        return all;
    }

    private static List<HostileImage> refcountTable() {
        List<HostileImage> all = new ArrayList<>();
        for (long offset : new long[] {1, 0x10001, 0x10200}) {
            all.add(refused(
                    20,
                    "refcount table at " + offset + ", no cluster's start",
                    offset,
                    () -> plain().put64(REFCOUNT_TABLE_OFFSET, offset)));
        }
        all.add(refused(20, "refcount table at 2^63", () -> plain().put64(REFCOUNT_TABLE_OFFSET, 1L << 63)));
        all.add(refused(20, "refcount table at 2^64 - 64 KiB", () -> plain().put64(REFCOUNT_TABLE_OFFSET, -65536)));
        all.add(either(20, "refcount table at 0", () -> plain().put64(REFCOUNT_TABLE_OFFSET, 0)));
        all.add(either(20, "refcount table past the end", () -> plain().put64(REFCOUNT_TABLE_OFFSET, 1L << 40)));
        all.add(either(20, "refcount block past the end", () -> plain().put64(65536, 1L << 40)));
        all.add(either(20, "refcount block at 2^63", () -> plain().put64(65536, 1L << 63)));
        all.add(either(20, "refcount block misaligned", () -> plain().put64(65536, 0x20001)));
        all.add(refused(21, "refcount table of no cluster", () -> plain().put32(REFCOUNT_TABLE_CLUSTERS, 0)));
        for (long clusters : new long[] {129, 1L << 16, 1L << 31, 0xffffffffL}) {
            all.add(refused(
                    21,
                    "refcount table of " + clusters + " clusters",
                    () -> plain().put32(REFCOUNT_TABLE_CLUSTERS, clusters)));
        }
        return all;
    }

    private static List<HostileImage> snapshots() {
        List<HostileImage> all = new ArrayList<>();
        for (long count : new long[] {65537, 1L << 31, 0xffffffffL}) {
            all.add(refused(
                    22,
                    count + " snapshots",
                    count,
                    () -> plain().snapshot(3L << 16, 1).put32(SNAPSHOTS, count)));
        }
        for (long offset : new long[] {1, 0x80008, 1L << 63, -65536}) {
            all.add(refused(
                    22,
                    "snapshot table at 0x" + Long.toHexString(offset),
                    () -> plain().snapshot(3L << 16, 1).put64(SNAPSHOTS_OFFSET, offset)));
        }
        all.add(refused(
                22,
                "snapshot table past the end",
                () -> plain().snapshot(3L << 16, 1).put64(SNAPSHOTS_OFFSET, 1L << 40)));
        all.add(refused(
                22,
                "65536 snapshots in a table of one cluster",
                () -> plain().snapshot(3L << 16, 1).put32(SNAPSHOTS, 65536)));
        all.add(refused(
                22,
                "snapshot with 2^32-1 bytes of extra data",
                () -> plain().snapshot(3L << 16, 1).put32((8L << 16) + 36, -1)));
        all.add(refused(
                22,
                "snapshot whose name runs past the end",
                () -> plain().snapshot(3L << 16, 1)
                        .put16((8L << 16) + 14, 65535)
                        .fileBytes((8L << 16) + 1000)));
        all.add(either(22, "snapshots at 0", () -> plain().put32(SNAPSHOTS, 1)));
        all.add(read(
                23,
                "a snapshot whose disk is larger than its L1 table maps",
                () -> plain().snapshot(3L << 16, 1).put64((8L << 16) + 48, 1L << 50)));
        all.add(read(
                23,
                "the same with the smallest clusters and 2^62 bytes",
                () -> of(3, 9).snapshot(3L << 9, 1).put64((8L << 9) + 48, 1L << 62)));
        all.add(read(23, "a valid snapshot", () -> plain().snapshot(3L << 16, 1)));
        for (long offset : new long[] {1, 0x30008, 1L << 40, 1L << 63, -65536}) {
            all.add(either(23, "snapshot's L1 at 0x" + Long.toHexString(offset), () -> plain().snapshot(offset, 1)));
        }
        for (long entries : new long[] {(32 << 20) / 8 + 1, 1L << 31, 0xffffffffL}) {
            all.add(either(23, "snapshot's L1 of " + entries + " entries", () -> plain().snapshot(3L << 16, entries)));
        }
        return all;
    }

    private static List<HostileImage> bitmaps() {
        List<HostileImage> all = new ArrayList<>();
        for (long[] extension : new long[][] {
            {0, 64, 0x80000},
            {65536, 64, 0x80000},
            {0xffffffffL, 64, 0x80000},
            {1, 0, 0x80000},
            {1, (64L << 20) + 1, 0x80000},
            {1, -1, 0x80000},
            {1, 64, 0x80001},
            {1, 64, 1L << 40},
            {1, 64, 1L << 63},
            {1, 64, 0},
        }) {
            byte[] data = ByteBuffer.allocate(24)
                    .putInt((int) extension[0])
                    .putInt(0)
                    .putLong(extension[1])
                    .putLong(extension[2])
                    .array();
            String what = "%d bitmaps in %d bytes at 0x%x".formatted(extension[0], extension[1], extension[2]);
            all.add(either(24, what, () -> plain().put64(AUTOCLEAR, 1).extension(BITMAPS, data)));
        }
        all.add(either(
                24,
                "bitmaps extension of 23 bytes",
                () -> plain().put64(AUTOCLEAR, 1).extension(BITMAPS, new byte[23])));
        return all;
    }
}
