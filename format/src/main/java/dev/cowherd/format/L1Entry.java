package dev.cowherd.format;

/**
 * The words of an L1 table (specification: L1 table entry), each of which names the L2 table of a stretch of the disk.
 *
 * <table>
 * <caption>The 64-bit word, big-endian on disk</caption>
 * <tr><th>bits</th><th>meaning</th></tr>
 * <tr><td>0–8</td><td>reserved, 0</td></tr>
 * <tr><td>9–55</td><td>host offset of the L2 table, cluster-aligned; 0: no table, nothing there is allocated</td></tr>
 * <tr><td>56–62</td><td>reserved, 0</td></tr>
 * <tr><td>63</td><td>copied: the L2 table's refcount is exactly 1</td></tr>
 * </table>
 */
public final class L1Entry {
    /** Bytes of an entry on disk. */
    public static final int BYTES = 8;

    /** Bits of the host offset. */
    public static final long OFFSET_MASK = 0x00ff_ffff_ffff_fe00L;

    /** The copied flag. */
    public static final long COPIED = 1L << 63;

    private static final long RESERVED_MASK = ~(OFFSET_MASK | COPIED);

    private L1Entry() {}

    /**
     * Where the L2 table is.
     *
     * @param word the entry
     * @return host offset in bytes, a multiple of 512, or 0 if there is no table
     */
    public static long l2Offset(long word) {
        return word & OFFSET_MASK;
    }

    /**
     * Whether the L2 table claims a refcount of exactly 1. A hint: the refcount is the truth.
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
     * @return those of them that are set; QEMU reads such an entry all the same and its check reports it
     */
    public static long reserved(long word) {
        return word & RESERVED_MASK;
    }

    /**
     * Makes an entry.
     *
     * @param l2Offset host offset of the L2 table in bytes, a multiple of 512 below 2^56
     * @param copied whether the table's refcount is exactly 1
     * @return the word
     */
    public static long of(long l2Offset, boolean copied) {
        if ((l2Offset & ~OFFSET_MASK) != 0) {
            throw new IllegalArgumentException("L2 table offset 0x" + Long.toHexString(l2Offset));
        }
        return l2Offset | (copied ? COPIED : 0);
    }
}
