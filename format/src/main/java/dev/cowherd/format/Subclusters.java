package dev.cowherd.format;

/**
 * The second word of an extended L2 entry (specification: Extended L2 entries): the state of a cluster's 32
 * subclusters. Subcluster i has two bits.
 *
 * <table>
 * <caption>Bits of subcluster i</caption>
 * <tr><th>bit i</th><th>bit 32 + i</th><th>the subcluster</th></tr>
 * <tr><td>0</td><td>0</td><td>is not allocated: it reads from the backing file</td></tr>
 * <tr><td>1</td><td>0</td><td>is allocated: it reads from the host cluster</td></tr>
 * <tr><td>0</td><td>1</td><td>reads as zeros</td></tr>
 * <tr><td>1</td><td>1</td><td>is invalid: the image is corrupt</td></tr>
 * </table>
 */
public final class Subclusters {
    /** A cluster all of whose subclusters are allocated. */
    public static final long ALL_ALLOCATED = 0xffff_ffffL;

    /** A cluster all of whose subclusters read as zeros. */
    public static final long ALL_ZERO = 0xffff_ffffL << 32;

    private Subclusters() {}

    /**
     * Whether a subcluster is on the host.
     *
     * @param bitmap the second word
     * @param index 0 to 31
     * @return its allocation bit
     */
    public static boolean allocated(long bitmap, int index) {
        return ((bitmap >>> index) & 1) != 0;
    }

    /**
     * Whether a subcluster reads as zeros.
     *
     * @param bitmap the second word
     * @param index 0 to 31
     * @return its zero bit
     */
    public static boolean zero(long bitmap, int index) {
        return ((bitmap >>> (index + 32)) & 1) != 0;
    }

    /**
     * The subclusters that are allocated and zero at once.
     *
     * @param bitmap the second word
     * @return one bit a subcluster, in the low half; 0 if the word is valid
     */
    public static long invalid(long bitmap) {
        return bitmap & (bitmap >>> 32);
    }

    /**
     * How many subclusters in a row are in the same state as the first.
     *
     * @param bitmap the second word
     * @param from the first subcluster, 0 to 31
     * @return 1 to 32 - from
     */
    public static int runLength(long bitmap, int from) {
        int allocated = (int) bitmap;
        int zero = (int) (bitmap >>> 32);
        // A bit is set where the state differs from the first one's: spread its bit over the word and compare.
        int differs = (allocated ^ -((allocated >>> from) & 1)) | (zero ^ -((zero >>> from) & 1));
        return Math.min(Integer.numberOfTrailingZeros(differs >>> from), Geometry.SUBCLUSTERS - from);
    }
}
