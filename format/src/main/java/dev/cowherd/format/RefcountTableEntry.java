package dev.cowherd.format;

/**
 * The words of the refcount table (specification: Refcounts), each of which names a refcount block.
 *
 * <table>
 * <caption>The 64-bit word, big-endian on disk</caption>
 * <tr><th>bits</th><th>meaning</th></tr>
 * <tr><td>0–8</td><td>reserved, 0</td></tr>
 * <tr><td>9–63</td><td>host offset of the block, cluster-aligned; 0: no block, all its refcounts are 0</td></tr>
 * </table>
 */
public final class RefcountTableEntry {
    /** Bytes of an entry on disk. */
    public static final int BYTES = 8;

    private static final long RESERVED_MASK = 0x1ff;

    private RefcountTableEntry() {}

    /**
     * Where the refcount block is.
     *
     * @param word the entry
     * @return host offset in bytes, a multiple of 512, unsigned; 0 if there is no block
     */
    public static long blockOffset(long word) {
        return word & ~RESERVED_MASK;
    }

    /**
     * The bits that must be 0.
     *
     * @param word the entry
     * @return those of them that are set
     */
    public static long reserved(long word) {
        return word & RESERVED_MASK;
    }

    /**
     * Makes an entry.
     *
     * @param blockOffset host offset of the refcount block in bytes, a multiple of 512; 0 for none
     * @return the word
     */
    public static long of(long blockOffset) {
        if ((blockOffset & RESERVED_MASK) != 0) {
            throw new IllegalArgumentException("refcount block offset 0x" + Long.toHexString(blockOffset));
        }
        return blockOffset;
    }
}
