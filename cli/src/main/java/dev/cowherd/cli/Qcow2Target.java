package dev.cowherd.cli;

import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The layout of an image to be made, as {@code -o} describes it, and the space such an image takes.
 *
 * @param clusterBytes cluster size in bytes
 * @param refcountBits refcount width in bits
 * @param version 2 or 3
 * @param extendedL2 whether clusters have subclusters
 * @param fullyPreallocated whether all clusters get their space at once
 * @param hasBackingFile whether the image lies over another
 */
record Qcow2Target(
        int clusterBytes,
        int refcountBits,
        int version,
        boolean extendedL2,
        boolean fullyPreallocated,
        boolean hasBackingFile) {
    private static final long MAX_L1_BYTES = 32L << 20;
    private static final int TABLE_ENTRY_BYTES = 8;

    /**
     * Takes creation options apart.
     *
     * @param options the values of all {@code -o} flags, joined by commas; empty for none
     */
    static Qcow2Target parse(String options) throws CommandException {
        Map<String, String> given = split(options);
        int version = version(given.remove("compat"));
        boolean extendedL2 = onOff("extended_l2", given.remove("extended_l2"));
        int clusterBytes = clusterBytes(given.remove("cluster_size"), extendedL2);
        int refcountBits = refcountBits(given.remove("refcount_bits"), version);
        boolean preallocated = preallocated(given.remove("preallocation"));
        boolean backing = given.remove("backing_file") != null;
        given.remove("backing_fmt");
        onOff("lazy_refcounts", given.remove("lazy_refcounts"));
        given.remove("compression_type");
        given.remove("size");
        for (String name : given.keySet()) {
            if (name.startsWith("encrypt")) {
                throw new CommandException("encrypted images are not supported ('" + name + "')");
            }
            if (name.startsWith("data_file")) {
                throw new CommandException("measuring with '" + name + "' is not supported");
            }
            throw new CommandException("Invalid parameter '" + name + "'");
        }
        return new Qcow2Target(clusterBytes, refcountBits, version, extendedL2, preallocated, backing);
    }

    /** Names and values; a comma within a value is doubled, and a name alone means {@code on}. */
    static Map<String, String> split(String options) throws CommandException {
        Map<String, String> given = new LinkedHashMap<>();
        StringBuilder one = new StringBuilder();
        for (int i = 0; i <= options.length(); i++) {
            char c = i < options.length() ? options.charAt(i) : ',';
            if (c != ',') {
                one.append(c);
            } else if (i + 1 < options.length() && options.charAt(i + 1) == ',') {
                one.append(c);
                i++;
            } else if (!one.isEmpty()) {
                int equals = one.indexOf("=");
                given.put(
                        equals < 0 ? one.toString() : one.substring(0, equals),
                        equals < 0 ? "on" : one.substring(equals + 1));
                one.setLength(0);
            }
        }
        return given;
    }

    /** Guest bytes rounded up to whole clusters, refused where no L1 table could map them. */
    long roundedGuestBytes(long guestBytes) throws CommandException {
        long clusters = ceilingDivide(guestBytes, clusterBytes);
        long l2Tables = ceilingDivide(clusters, clusterBytes / l2EntryBytes());
        if (l2Tables * TABLE_ENTRY_BYTES > MAX_L1_BYTES) {
            throw new CommandException("The image size is too large (try using a larger cluster size)");
        }
        return clusters * clusterBytes;
    }

    /**
     * The length of the file with every cluster allocated: header, L1 and L2 tables, refcounts of all of it, data.
     *
     * @param guestBytes the disk's size in bytes, whole clusters
     */
    long fullyAllocatedBytes(long guestBytes) {
        long entriesPerL2 = clusterBytes / l2EntryBytes();
        long l2Tables = ceilingDivide(guestBytes / clusterBytes, entriesPerL2);
        long l1Clusters = ceilingDivide(l2Tables, clusterBytes / TABLE_ENTRY_BYTES);
        long clusters = 1 + l2Tables + l1Clusters + guestBytes / clusterBytes;
        return (clusters + refcountClusters(clusters)) * clusterBytes;
    }

    /**
     * The space for copies of persistent bitmaps: each with all its data, its table, and its entry in the directory.
     *
     * @param guestBytes the disk's size in bytes
     * @param granularityBits log2 of the guest bytes that one bit stands for, one for each bitmap
     * @param nameBytes the lengths of their names in bytes
     */
    long bitmapBytes(long guestBytes, int[] granularityBits, int[] nameBytes) {
        long total = 0;
        long directory = 0;
        for (int i = 0; i < granularityBits.length; i++) {
            long bits = ceilingDivide(guestBytes, 1L << granularityBits[i]);
            long dataClusters = ceilingDivide(ceilingDivide(bits, Byte.SIZE), clusterBytes);
            total += dataClusters + ceilingDivide(dataClusters * TABLE_ENTRY_BYTES, clusterBytes);
            directory += ceilingDivide(24L + nameBytes[i], 8) * 8;
        }
        return (total + ceilingDivide(directory, clusterBytes)) * clusterBytes;
    }

    /** Refcount blocks and tables count themselves, so their number is a fixed point. */
    private long refcountClusters(long clusters) {
        long refcountsPerBlock = (long) clusterBytes * Byte.SIZE / refcountBits;
        long blocks = 0;
        long tables = 0;
        while (true) {
            long moreBlocks = ceilingDivide(clusters + tables + blocks, refcountsPerBlock);
            long moreTables = ceilingDivide(moreBlocks, clusterBytes / TABLE_ENTRY_BYTES);
            if (moreBlocks + moreTables == blocks + tables) {
                return blocks + tables;
            }
            blocks = moreBlocks;
            tables = moreTables;
        }
    }

    private int l2EntryBytes() {
        return extendedL2 ? 16 : 8;
    }

    static long ceilingDivide(long dividend, long divisor) {
        return dividend / divisor + (dividend % divisor == 0 ? 0 : 1);
    }

    private static int version(@Nullable String compat) throws CommandException {
        return switch (compat) {
            case null -> 3;
            case "0.10" -> 2;
            case "1.1" -> 3;
            default -> throw new CommandException("Invalid compatibility level: '" + compat + "'");
        };
    }

    private static boolean onOff(String name, @Nullable String value) throws CommandException {
        return switch (value) {
            case null -> false;
            case "on", "yes", "true", "y" -> true;
            case "off", "no", "false", "n" -> false;
            default -> throw new CommandException("Parameter '" + name + "' expects 'on' or 'off'");
        };
    }

    private static int clusterBytes(@Nullable String value, boolean extendedL2) throws CommandException {
        long bytes = value == null ? 1L << 16 : SizeArgument.parse("cluster_size", value);
        if (bytes < 512 || bytes > 2 << 20 || Long.bitCount(bytes) != 1) {
            throw new CommandException("Cluster size must be a power of two between 512 and 2048k");
        }
        if (extendedL2 && bytes < 16 << 10) {
            throw new CommandException(
                    "Extended L2 entries are only supported with cluster sizes of at least 16384 bytes");
        }
        return (int) bytes;
    }

    private static int refcountBits(@Nullable String value, int version) throws CommandException {
        long bits = value == null ? 16 : SizeArgument.parse("refcount_bits", value);
        if (bits < 1 || bits > 64 || Long.bitCount(bits) != 1) {
            throw new CommandException("Refcount width must be a power of two and may not exceed 64 bits");
        }
        if (version < 3 && bits != 16) {
            throw new CommandException("Different refcount widths than 16 bits require compatibility level 1.1 or above"
                    + " (use compat=1.1 or greater)");
        }
        return (int) bits;
    }

    private static boolean preallocated(@Nullable String value) throws CommandException {
        return switch (value) {
            case null -> false;
            case "off", "metadata" -> false;
            case "falloc", "full" -> true;
            default -> throw new CommandException("invalid parameter value: " + value);
        };
    }
}
