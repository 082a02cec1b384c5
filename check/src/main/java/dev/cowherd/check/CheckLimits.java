package dev.cowherd.check;

/** What a check refuses to do for an image. */
final class CheckLimits {
    /** Clusters of one file, as in QEMU. */
    static final long MAX_CLUSTERS = Integer.MAX_VALUE;

    /** Bytes of misaligned L2 tables to look at beyond the file's own size. */
    static final long MISALIGNED_TABLE_BYTES = 64L << 20;

    /** Bytes of bitmap tables to look at beyond the file's own size: valid ones do not overlap, but nothing makes them valid. */
    static final long BITMAP_TABLE_BYTES = 64L << 20;

    /** The unit in which file sizes count. */
    static final long SECTOR_BYTES = 512;

    private CheckLimits() {}
}
