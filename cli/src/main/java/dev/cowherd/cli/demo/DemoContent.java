package dev.cowherd.cli.demo;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * What every byte of the demonstration's disk is, and in which image of the chain it lies: a function of its place alone.
 *
 * <p>Each cluster of the disk belongs to one image. The images below hold other bytes there, so that a read that ends in the
 * wrong image, at the wrong place, or in the wrong cluster cannot look right.
 */
final class DemoContent {
    static final int CLUSTER_BITS = 16;
    static final int CLUSTER_BYTES = 1 << CLUSTER_BITS;

    private static final ValueLayout.OfLong WORD = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final int PERCENT = 100;
    /** Compressible clusters repeat each word this often, as a power of two. */
    private static final int REPEAT_BITS = 4;

    /** The images of the chain, from the top. */
    enum Image {
        TOP(0),
        MIDDLE(1),
        BASE(2);

        private final int number;

        Image(int number) {
            this.number = number;
        }
    }

    /** How a cluster of the disk is stored in the image it belongs to. */
    enum Kind {
        TOP_DATA(Image.TOP, 18),
        TOP_COMPRESSED(Image.TOP, 15),
        TOP_ZEROS(Image.TOP, 5),
        MIDDLE_DATA(Image.MIDDLE, 15),
        MIDDLE_COMPRESSED(Image.MIDDLE, 15),
        BASE_DATA(Image.BASE, 22),
        NOWHERE(Image.BASE, 10);

        private final Image image;
        private final int percent;

        Kind(Image image, int percent) {
            this.image = image;
            this.percent = percent;
        }

        Image image() {
            return image;
        }

        boolean compressed() {
            return this == TOP_COMPRESSED || this == MIDDLE_COMPRESSED;
        }

        boolean readsAsZeros() {
            return this == TOP_ZEROS || this == NOWHERE;
        }
    }

    private DemoContent() {}

    /** What a cluster of the disk is. */
    static Kind kindOf(long cluster) {
        int chance = (int) Long.remainderUnsigned(mixed(cluster), PERCENT);
        for (Kind kind : Kind.values()) {
            chance -= kind.percent;
            if (chance < 0) {
                return kind;
            }
        }
        throw new IllegalStateException("the kinds are less than 100 percent");
    }

    /** Fills one cluster with what an image holds there, whether or not an image above hides it. */
    static void fill(MemorySegment destination, long cluster, Image image, boolean compressible) {
        long seed = seed(cluster, image);
        int shift = compressible ? REPEAT_BITS : 0;
        for (int word = 0; word < CLUSTER_BYTES / Long.BYTES; word++) {
            destination.set(WORD, (long) word * Long.BYTES, mixed(seed + (word >>> shift)));
        }
    }

    /** Fills one cluster with what a reader of the disk must find there. */
    static void fillExpected(MemorySegment destination, long cluster) {
        Kind kind = kindOf(cluster);
        if (kind.readsAsZeros()) {
            destination.asSlice(0, CLUSTER_BYTES).fill((byte) 0);
        } else {
            fill(destination, cluster, kind.image(), kind.compressed());
        }
    }

    /**
     * Compares one cluster of the disk with what it must be.
     *
     * @param bytes where the cluster starts is {@code from}
     * @return the first word that is wrong, in bytes from the cluster's start, or -1 if every byte is right
     */
    static int firstWrong(MemorySegment bytes, long from, long cluster) {
        Kind kind = kindOf(cluster);
        long seed = seed(cluster, kind.image());
        int shift = kind.compressed() ? REPEAT_BITS : 0;
        long mask = kind.readsAsZeros() ? 0 : -1;
        for (int word = 0; word < CLUSTER_BYTES / Long.BYTES; word++) {
            long expected = mixed(seed + (word >>> shift)) & mask;
            if (bytes.get(WORD, from + (long) word * Long.BYTES) != expected) {
                return word * Long.BYTES;
            }
        }
        return -1;
    }

    private static long seed(long cluster, Image image) {
        return (cluster * 4 + image.number) << 32;
    }

    /** Spreads a number over 64 bits, one to one. */
    static long mixed(long number) {
        long z = (number + 1) * 0x9e3779b97f4a7c15L;
        z = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
        z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
        return z ^ (z >>> 31);
    }
}
