package dev.cowherd.proof;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * How an image is made: one point in the space of what QEMU makes.
 *
 * @param clusterBits 9 to 21
 * @param refcountOrder 0 to 6
 * @param version 2 or 3
 * @param extended whether entries have subclusters
 * @param below what it stands on
 * @param packing how clusters of the image itself are compressed at the start
 * @param data where guest bytes lie
 * @param snapshot whether an internal snapshot shares the clusters
 * @param room what was set aside when the image was made
 * @param lazy whether refcounts may be brought up to date later
 */
record Shape(
        int clusterBits,
        int refcountOrder,
        int version,
        boolean extended,
        Below below,
        Packing packing,
        Data data,
        boolean snapshot,
        Room room,
        boolean lazy) {
    /** What lies below the image. */
    enum Below {
        NONE,
        RAW,
        QCOW2,
        /** A raw file that ends inside a cluster. */
        SHORT,
        /** A QCOW2 image larger than the overlay. */
        LONG,
        /** Compressed QCOW2. */
        PACKED,
        /** Four layers, two of them compressed by different codecs; the upmost ends first, and hides what the others have behind. */
        DEEP
    }

    /** Compressed clusters of the image itself. */
    enum Packing {
        NONE,
        ZLIB,
        ZSTD
    }

    /** The external data file. */
    enum Data {
        INSIDE,
        FILE,
        RAW_FILE
    }

    /** What QEMU calls preallocation. */
    enum Room {
        OFF,
        METADATA,
        FALLOC,
        FULL
    }

    /** A plain image with clusters of this size. */
    static Shape plain(int clusterBits) {
        return new Shape(clusterBits, 4, 3, false, Below.NONE, Packing.NONE, Data.INSIDE, false, Room.OFF, false);
    }

    Shape withRefcountOrder(int order) {
        return new Shape(clusterBits, order, version, extended, below, packing, data, snapshot, room, lazy);
    }

    Shape withVersion(int other) {
        return new Shape(clusterBits, refcountOrder, other, extended, below, packing, data, snapshot, room, lazy);
    }

    Shape withExtended() {
        return new Shape(clusterBits, refcountOrder, version, true, below, packing, data, snapshot, room, lazy);
    }

    Shape over(Below other) {
        return new Shape(clusterBits, refcountOrder, version, extended, other, packing, data, snapshot, room, lazy);
    }

    Shape packed(Packing other) {
        return new Shape(clusterBits, refcountOrder, version, extended, below, other, data, snapshot, room, lazy);
    }

    Shape withData(Data other) {
        return new Shape(clusterBits, refcountOrder, version, extended, below, packing, other, snapshot, room, lazy);
    }

    Shape withSnapshot() {
        return new Shape(clusterBits, refcountOrder, version, extended, below, packing, data, true, room, lazy);
    }

    Shape with(Room other) {
        return new Shape(clusterBits, refcountOrder, version, extended, below, packing, data, snapshot, other, lazy);
    }

    Shape withLazyRefcounts() {
        return new Shape(clusterBits, refcountOrder, version, extended, below, packing, data, snapshot, room, true);
    }

    int clusterBytes() {
        return 1 << clusterBits;
    }

    /** Guest bytes: several L2 tables where clusters are small; ends inside a cluster. */
    long sizeBytes() {
        return switch (clusterBits) {
            case 9 -> 96 << 10;
            case 12 -> (256 << 10) + 512;
            case 16 -> (1 << 20) + 512;
            default -> (clusterBits < 18 ? 24L : 3L) * clusterBytes() + 512;
        };
    }

    /** Whether QEMU makes such an image. */
    boolean isPossible() {
        boolean needsVersion3 =
                refcountOrder != 4 || extended || packing == Packing.ZSTD || data != Data.INSIDE || lazy;
        return !(needsVersion3 && version == 2)
                && !(extended && clusterBits < 14)
                && !(data != Data.INSIDE && (snapshot || packing != Packing.NONE))
                && !(data == Data.RAW_FILE && below != Below.NONE)
                && !(snapshot && refcountOrder == 0)
                && !(packing != Packing.NONE && refcountOrder < 3)
                && !(room != Room.OFF && (packing != Packing.NONE || (below != Below.NONE && !extended)));
    }

    private static List<Shape> all() {
        List<Shape> shapes = new ArrayList<>();
        for (int bits : new int[] {9, 12, 16, 21}) {
            for (int order = 0; order <= 6; order++) {
                for (int flags = 0; flags < 16; flags++) {
                    for (Below below : Below.values()) {
                        for (Packing packing : Packing.values()) {
                            for (Data data : Data.values()) {
                                for (Room room : Room.values()) {
                                    Shape shape = new Shape(
                                            bits,
                                            order,
                                            2 + (flags & 1),
                                            (flags & 2) != 0,
                                            below,
                                            packing,
                                            data,
                                            (flags & 4) != 0,
                                            room,
                                            (flags & 8) != 0);
                                    if (shape.isPossible()) {
                                        shapes.add(shape);
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        return shapes;
    }

    /** Few shapes in which every two values that go together come together. */
    static List<Shape> pairwise() {
        List<Shape> candidates = all();
        Map<String, Integer> numbers = new HashMap<>();
        List<int[]> pairs = new ArrayList<>();
        for (Shape shape : candidates) {
            pairs.add(shape.pairs(numbers));
        }
        boolean[] covered = new boolean[numbers.size()];
        List<Shape> chosen = new ArrayList<>();
        while (true) {
            int best = -1;
            int most = 0;
            for (int i = 0; i < pairs.size(); i++) {
                int covers = 0;
                for (int pair : pairs.get(i)) {
                    covers += covered[pair] ? 0 : 1;
                }
                if (covers > most) {
                    most = covers;
                    best = i;
                }
            }
            if (best < 0) {
                return chosen;
            }
            for (int pair : pairs.get(best)) {
                covered[pair] = true;
            }
            chosen.add(candidates.get(best));
        }
    }

    /** The pairwise list, and every combination of what decides where a write goes and what it must not touch. */
    static List<Shape> crossed() {
        return Stream.concat(pairwise().stream(), all().stream().filter(Shape::isRisky))
                .distinct()
                .toList();
    }

    /** Sizes of clusters and subclusters, layers below, compression, data files and snapshots; and the last with every width of refcounts. */
    private boolean isRisky() {
        boolean widths = below == Below.QCOW2 && packing == Packing.NONE && data == Data.INSIDE;
        return version == 3 && room == Room.OFF && !lazy && (refcountOrder == 4 || widths);
    }

    /** Every two values of this shape, as numbers that are given out here. */
    private int[] pairs(Map<String, Integer> numbers) {
        List<String> values = List.of(
                "b" + clusterBits,
                "r" + refcountOrder,
                "v" + version,
                "e" + extended,
                "w" + below,
                "p" + packing,
                "d" + data,
                "s" + snapshot,
                "m" + room,
                "l" + lazy);
        int[] pairs = new int[values.size() * (values.size() - 1) / 2];
        int n = 0;
        for (int i = 0; i < values.size(); i++) {
            for (int j = 0; j < i; j++) {
                pairs[n++] = numbers.computeIfAbsent(values.get(j) + values.get(i), pair -> numbers.size());
            }
        }
        return pairs;
    }

    /** Short enough for a file's name. */
    @Override
    public String toString() {
        return "c" + clusterBits + "r" + refcountOrder + "v" + version + (extended ? "x" : "")
                + (below == Below.NONE ? "" : "-" + below)
                + (packing == Packing.NONE ? "" : "-" + packing)
                + (data == Data.INSIDE ? "" : "-data" + data)
                + (snapshot ? "-snap" : "")
                + (room == Room.OFF ? "" : "-" + room)
                + (lazy ? "-lazy" : "");
    }
}
