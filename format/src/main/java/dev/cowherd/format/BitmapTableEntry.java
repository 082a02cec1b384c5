package dev.cowherd.format;

/**
 * The words of a bitmap table (specification: Bitmap table), each of which stands for one cluster of the bitmap's bits.
 *
 * <table>
 * <caption>The 64-bit word, big-endian on disk</caption>
 * <tr><th>bits</th><th>meaning</th></tr>
 * <tr><td>0</td><td>without an offset: the bits are all ones (1) or all zeros (0); with an offset reserved, 0</td></tr>
 * <tr><td>1–8</td><td>reserved, 0</td></tr>
 * <tr><td>9–55</td><td>host offset of the cluster with the bits, cluster-aligned; 0: see bit 0</td></tr>
 * <tr><td>56–63</td><td>reserved, 0</td></tr>
 * </table>
 */
public final class BitmapTableEntry {
    /** Bytes of an entry on disk. */
    public static final int BYTES = 8;

    private static final long OFFSET_MASK = 0x00ff_ffff_ffff_fe00L;

    /** The entry of a cluster whose bits are all ones. */
    public static final long ALL_ONES = 1;

    private BitmapTableEntry() {}

    /**
     * Where the bits are.
     *
     * @param word the entry
     * @return host offset in bytes, or 0 if all bits are the same
     */
    public static long hostOffset(long word) {
        return word & OFFSET_MASK;
    }

    /**
     * Whether all the bits are ones, if there is no offset.
     *
     * @param word the entry
     * @return bit 0
     */
    public static boolean allOnes(long word) {
        return (word & ALL_ONES) != 0;
    }

    /**
     * The bits that must be 0.
     *
     * @param word the entry
     * @return those of them that are set; QEMU refuses such an entry
     */
    public static long reserved(long word) {
        return word & (hostOffset(word) == 0 ? ~(OFFSET_MASK | ALL_ONES) : ~OFFSET_MASK);
    }
}
