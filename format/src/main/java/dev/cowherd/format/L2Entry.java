package dev.cowherd.format;

/**
 * The (first) words of an L2 table's entries (specification: L2 table entry, Extended L2 entries), each of which says
 * where one guest cluster lives. Decide the kind first: bit 0 of a compressed entry belongs to its offset and is no
 * zero flag.
 *
 * <table>
 * <caption>A standard entry: bit 62 is 0</caption>
 * <tr><th>bits</th><th>meaning</th></tr>
 * <tr><td>0</td><td>the cluster reads as zeros, allocated or not; reserved with extended entries</td></tr>
 * <tr><td>1–8</td><td>reserved, 0</td></tr>
 * <tr><td>9–55</td><td>host offset, cluster-aligned; 0: not allocated (but see {@link #isAllocated})</td></tr>
 * <tr><td>56–61</td><td>reserved, 0</td></tr>
 * <tr><td>63</td><td>copied: the cluster's refcount is exactly 1</td></tr>
 * </table>
 *
 * <table>
 * <caption>A compressed entry: bit 62 is 1, bit 63 is 0; x = 62 - (cluster bits - 8)</caption>
 * <tr><th>bits</th><th>meaning</th></tr>
 * <tr><td>0 to x - 1</td><td>host offset of the first compressed byte; not aligned at all</td></tr>
 * <tr><td>x to 61</td><td>512-byte sectors that the data takes beyond the one it starts in</td></tr>
 * </table>
 *
 * <p>With extended entries a second word follows, taken apart by {@link Subclusters}; it is 0 for a compressed cluster.
 */
public final class L2Entry {
    /** Bits of a standard entry's host offset. */
    public static final long OFFSET_MASK = 0x00ff_ffff_ffff_fe00L;

    /** The copied flag. */
    public static final long COPIED = 1L << 63;

    /** The flag of a compressed cluster. */
    public static final long COMPRESSED = 1L << 62;

    /** The flag of a cluster that reads as zeros; only of standard entries of images without extended entries. */
    public static final long ZERO = 1L;

    /** The unit in which the length of compressed data is counted. */
    public static final int SECTOR_BYTES = 512;

    private static final long RESERVED_MASK = ~(OFFSET_MASK | COPIED | COMPRESSED | ZERO);

    private L2Entry() {}

    /**
     * Whether the cluster is compressed; the other questions depend on it.
     *
     * @param word the entry
     * @return whether bit 62 is set
     */
    public static boolean isCompressed(long word) {
        return (word & COMPRESSED) != 0;
    }

    /**
     * Where a standard cluster is.
     *
     * @param word a standard entry
     * @return host offset in bytes, a multiple of 512, not necessarily of the cluster size
     */
    public static long hostOffset(long word) {
        return word & OFFSET_MASK;
    }

    /**
     * Whether a standard entry of an image without extended entries says "zeros".
     *
     * @param word a standard entry
     * @return whether bit 0 is set
     */
    public static boolean isZeroFlag(long word) {
        return (word & ZERO) != 0;
    }

    /**
     * Whether a standard entry has a host cluster. Offset 0 means none, except in an external data file: there the
     * first cluster of the disk is at offset 0, and its copied flag tells it from an empty entry.
     *
     * @param word a standard entry
     * @param externalData whether guest clusters live in an external data file
     * @return whether {@link #hostOffset} is the place of a cluster
     */
    public static boolean isAllocated(long word, boolean externalData) {
        return (word & OFFSET_MASK) != 0 || (externalData && word < 0);
    }

    /**
     * Whether the cluster claims a refcount of exactly 1. A hint: the refcount is the truth.
     *
     * @param word the entry
     * @return the flag
     */
    public static boolean copied(long word) {
        return (word & COPIED) != 0;
    }

    /**
     * The bits that should be 0.
     *
     * @param word the entry
     * @param geometry the image's geometry
     * @return those of them that are set; QEMU reads such an entry all the same and its check reports it
     */
    public static long reserved(long word, Geometry geometry) {
        if (isCompressed(word)) {
            return word & COPIED;
        }
        return word & (geometry.extendedL2() ? (RESERVED_MASK | ZERO) : RESERVED_MASK);
    }

    /**
     * Where the data of a compressed cluster starts.
     *
     * @param word a compressed entry
     * @param clusterBits log2 of the cluster size
     * @return host offset in bytes, of any alignment; at most 2^61 - 1, so adding a cluster cannot overflow
     */
    public static long compressedHostOffset(long word, int clusterBits) {
        return word & ((1L << sectorShift(clusterBits)) - 1);
    }

    /**
     * How many bytes of compressed data there are at most: to the end of the last sector. The stream may end before.
     *
     * @param word a compressed entry
     * @param clusterBits log2 of the cluster size
     * @return bytes from {@link #compressedHostOffset}, 1 to twice the cluster size
     */
    public static int compressedBytes(long word, int clusterBits) {
        int shift = sectorShift(clusterBits);
        int sectors = (int) ((word & ~COPIED & ~COMPRESSED) >>> shift) + 1;
        return sectors * SECTOR_BYTES - (int) (word & (SECTOR_BYTES - 1));
    }

    /**
     * Makes a standard entry.
     *
     * @param hostOffset host offset in bytes, a multiple of 512 below 2^56
     * @param copied whether the cluster's refcount is exactly 1
     * @param zero whether the cluster reads as zeros
     * @return the word
     */
    public static long standard(long hostOffset, boolean copied, boolean zero) {
        if ((hostOffset & ~OFFSET_MASK) != 0) {
            throw new IllegalArgumentException("host offset 0x" + Long.toHexString(hostOffset));
        }
        return hostOffset | (copied ? COPIED : 0) | (zero ? ZERO : 0);
    }

    /**
     * Makes a compressed entry.
     *
     * @param hostOffset host offset of the first compressed byte
     * @param bytes length of the compressed data in bytes, 1 to the cluster size
     * @param clusterBits log2 of the cluster size
     * @return the word
     */
    public static long compressed(long hostOffset, int bytes, int clusterBits) {
        int shift = sectorShift(clusterBits);
        if (hostOffset < 0 || hostOffset >>> shift != 0 || bytes < 1 || bytes > 1 << clusterBits) {
            throw new IllegalArgumentException(bytes + " bytes at 0x" + Long.toHexString(hostOffset));
        }
        long moreSectors = (hostOffset + bytes - 1) / SECTOR_BYTES - hostOffset / SECTOR_BYTES;
        return COMPRESSED | (moreSectors << shift) | hostOffset;
    }

    private static int sectorShift(int clusterBits) {
        return 70 - clusterBits;
    }
}
