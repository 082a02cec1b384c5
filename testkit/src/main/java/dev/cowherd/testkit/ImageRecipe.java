package dev.cowherd.testkit;

import java.util.Locale;

/**
 * How one image of the matrix is made: every property of the format that a reader has to get right.
 *
 * <p>The properties are those of the top layer; layers below take theirs from the seed.
 *
 * @param seed where all that is random about the image comes from
 * @param version 2 or 3
 * @param clusterBytes a power of two, 512 bytes to 2 MiB
 * @param refcountBits a power of two, 1 to 64
 * @param extendedL2 whether clusters have 32 subclusters
 * @param compression how some clusters are compressed
 * @param dataFile where guest data lies
 * @param preallocation as of {@code qemu-img create}
 * @param layers length of the backing chain, 1 to 5
 * @param below how the sizes of the layers below relate to the top's
 * @param snapshots whether there are internal snapshots with data written before, between and after
 * @param bitmaps whether there are persistent bitmaps
 */
public record ImageRecipe(
        long seed,
        int version,
        int clusterBytes,
        int refcountBits,
        boolean extendedL2,
        Compression compression,
        DataFile dataFile,
        Preallocation preallocation,
        int layers,
        Below below,
        boolean snapshots,
        boolean bitmaps) {

    private static final int SMALLEST_EXTENDED_CLUSTER = 16 << 10;

    /** How some clusters are compressed. */
    public enum Compression {
        /** No cluster is. */
        NONE,
        /** Deflate. */
        ZLIB,
        /** Zstandard, which the header says by a feature bit. */
        ZSTD
    }

    /** Where guest data lies. */
    public enum DataFile {
        /** In the image. */
        NONE,
        /** In a file beside it, anywhere. */
        MAPPED,
        /** In a file beside it that is the raw disk too. */
        RAW
    }

    /** As of {@code qemu-img create}. */
    public enum Preallocation {
        /** None. */
        OFF,
        /** L2 tables only. */
        METADATA,
        /** By the host's fallocate. */
        FALLOC,
        /** Zeros written. */
        FULL
    }

    /** How the size of each layer relates to that above it. */
    public enum Below {
        /** The same. */
        SAME,
        /** It ends before, at no cluster boundary. */
        SHORTER,
        /** It ends after. */
        LONGER,
        /** It ends before, and the lowest is raw and ends inside a sector. */
        UNALIGNED
    }

    /**
     * Whether QEMU can make such an image. What it refuses is listed here with the reason.
     *
     * @return whether the properties go together
     */
    public boolean isPossible() {
        boolean onlyInVersion3 = refcountBits != 16
                || extendedL2
                || compression == Compression.ZSTD
                || dataFile != DataFile.NONE
                || bitmaps;
        if (version == 2 && onlyInVersion3) {
            return false;
        }
        if (extendedL2 && clusterBytes < SMALLEST_EXTENDED_CLUSTER) {
            return false;
        }
        if (dataFile != DataFile.NONE && (compression != Compression.NONE || snapshots)) {
            return false;
        }
        if (compression != Compression.NONE && preallocation != Preallocation.OFF) {
            return false; // QEMU compresses only clusters that are not allocated.
        }
        if (layers == 1) {
            return below == Below.SAME && (!snapshots || canCountSnapshots());
        }
        boolean preallocated = preallocation != Preallocation.OFF;
        // Preallocated clusters would hide the layer below; only subclusters can be allocated and yet look through.
        return dataFile != DataFile.RAW && (!preallocated || extendedL2) && (!snapshots || canCountSnapshots());
    }

    /** Three snapshots and the disk make 4 owners of a cluster; compressed clusters share theirs with many more. */
    private boolean canCountSnapshots() {
        return refcountBits >= (compression == Compression.NONE ? 4 : 16);
    }

    /**
     * The guest's disk size: it crosses slices of L2 tables, and ends inside a cluster where clusters are larger than a
     * sector.
     *
     * @return bytes, a multiple of 512
     */
    public long sizeBytes() {
        long whole = switch (clusterBytes) {
            case 512 -> 1 << 20;
            case 1 << 10, 2 << 10, 4 << 10 -> 4 << 20;
            case 8 << 10, 16 << 10, 32 << 10 -> 10 << 20;
            case 64 << 10 -> 36 << 20;
            default -> 20 << 20;
        };
        return whole + 512 * (1 + Math.floorMod(seed, 31L));
    }

    /**
     * A name fit for a file and for the report of a test.
     *
     * @return all properties that are not the plainest
     */
    public String name() {
        StringBuilder name = new StringBuilder()
                .append(Long.toHexString(seed))
                .append("-v")
                .append(version)
                .append("-c")
                .append(clusterBytes)
                .append("-r")
                .append(refcountBits);
        append(name, extendedL2, "extl2");
        append(name, compression != Compression.NONE, compression.name());
        append(name, dataFile != DataFile.NONE, "data" + dataFile.name());
        append(name, preallocation != Preallocation.OFF, "pre" + preallocation.name());
        append(name, layers > 1, "chain" + layers + below.name());
        append(name, snapshots, "snapshots");
        append(name, bitmaps, "bitmaps");
        return name.toString();
    }

    private static void append(StringBuilder name, boolean condition, String part) {
        if (condition) {
            name.append('-').append(part.toLowerCase(Locale.ROOT));
        }
    }

    @Override
    public String toString() {
        return name();
    }
}
