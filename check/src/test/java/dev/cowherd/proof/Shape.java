package dev.cowherd.proof;

import java.util.ArrayList;
import java.util.List;

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
 */
record Shape(
        int clusterBits,
        int refcountOrder,
        int version,
        boolean extended,
        Below below,
        Packing packing,
        Data data,
        boolean snapshot) {
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
        PACKED
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

    /** A plain image with clusters of this size. */
    static Shape plain(int clusterBits) {
        return new Shape(clusterBits, 4, 3, false, Below.NONE, Packing.NONE, Data.INSIDE, false);
    }

    Shape withRefcountOrder(int order) {
        return new Shape(clusterBits, order, version, extended, below, packing, data, snapshot);
    }

    Shape withVersion(int other) {
        return new Shape(clusterBits, refcountOrder, other, extended, below, packing, data, snapshot);
    }

    Shape withExtended() {
        return new Shape(clusterBits, refcountOrder, version, true, below, packing, data, snapshot);
    }

    Shape over(Below other) {
        return new Shape(clusterBits, refcountOrder, version, extended, other, packing, data, snapshot);
    }

    Shape packed(Packing other) {
        return new Shape(clusterBits, refcountOrder, version, extended, below, other, data, snapshot);
    }

    Shape withData(Data other) {
        return new Shape(clusterBits, refcountOrder, version, extended, below, packing, other, snapshot);
    }

    Shape withSnapshot() {
        return new Shape(clusterBits, refcountOrder, version, extended, below, packing, data, true);
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
            default -> 3L * clusterBytes() + 512;
        };
    }

    /** Whether QEMU makes such an image. */
    boolean isPossible() {
        boolean needsVersion3 = refcountOrder != 4 || extended || packing == Packing.ZSTD || data != Data.INSIDE;
        return !(needsVersion3 && version == 2)
                && !(extended && clusterBits < 14)
                && !(data != Data.INSIDE && (snapshot || packing != Packing.NONE))
                && !(data == Data.RAW_FILE && below != Below.NONE)
                && !(snapshot && refcountOrder == 0)
                && !(packing != Packing.NONE && refcountOrder < 3);
    }

    private static List<Shape> all() {
        List<Shape> shapes = new ArrayList<>();
        for (int bits : new int[] {9, 12, 16, 21}) {
            for (int order = 0; order <= 6; order++) {
                for (int flags = 0; flags < 8; flags++) {
                    for (Below below : Below.values()) {
                        for (Packing packing : Packing.values()) {
                            for (Data data : Data.values()) {
                                shapes.add(new Shape(
                                        bits,
                                        order,
                                        2 + (flags & 1),
                                        (flags & 2) != 0,
                                        below,
                                        packing,
                                        data,
                                        (flags & 4) != 0));
                            }
                        }
                    }
                }
            }
        }
        shapes.removeIf(shape -> !shape.isPossible());
        return shapes;
    }

    /** Few shapes in which every two values that go together come together. */
    static List<Shape> pairwise() {
        List<Shape> candidates = all();
        java.util.Set<String> open = new java.util.HashSet<>();
        candidates.forEach(shape -> open.addAll(shape.pairs()));
        List<Shape> chosen = new ArrayList<>();
        while (!open.isEmpty()) {
            Shape best = candidates.getFirst();
            long most = 0;
            for (Shape shape : candidates) {
                long covers = shape.pairs().stream().filter(open::contains).count();
                if (covers > most) {
                    most = covers;
                    best = shape;
                }
            }
            open.removeAll(best.pairs());
            chosen.add(best);
        }
        return chosen;
    }

    private List<String> pairs() {
        List<String> values = List.of(
                "b" + clusterBits,
                "r" + refcountOrder,
                "v" + version,
                "e" + extended,
                "w" + below,
                "p" + packing,
                "d" + data,
                "s" + snapshot);
        List<String> pairs = new ArrayList<>();
        for (int i = 0; i < values.size(); i++) {
            for (int j = 0; j < i; j++) {
                pairs.add(values.get(j) + values.get(i));
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
                + (snapshot ? "-snap" : "");
    }
}
