package dev.cowherd.format;

/**
 * The sizes beyond which an image is refused. Each is what QEMU 10 imposes, so no image that it makes is shut out, but for
 * {@link #MAX_DATA_FILE_BYTES}, which is ours.
 */
public final class Limits {
    /** Smallest cluster: 2^9 = 512 bytes. */
    public static final int MIN_CLUSTER_BITS = 9;

    /** Largest cluster: 2^21 = 2 MiB. */
    public static final int MAX_CLUSTER_BITS = 21;

    /** Smallest cluster of an image with extended L2 entries, so that a subcluster is at least 512 bytes. */
    public static final int MIN_CLUSTER_BITS_EXTENDED_L2 = 14;

    /** Widest refcount: 2^6 = 64 bits. */
    public static final int MAX_REFCOUNT_ORDER = 6;

    /** Largest L1 table, active or of a snapshot, in bytes. */
    public static final int MAX_L1_BYTES = 32 << 20;

    /** Largest refcount table in bytes. */
    public static final int MAX_REFCOUNT_TABLE_BYTES = 8 << 20;

    /** Most internal snapshots. */
    public static final int MAX_SNAPSHOTS = 65536;

    /** Largest snapshot table in bytes. */
    public static final int MAX_SNAPSHOT_TABLE_BYTES = 64 << 20;

    /** Largest extra data of one snapshot in bytes. */
    public static final int MAX_SNAPSHOT_EXTRA_BYTES = 1024;

    /** Longest backing file name in bytes. */
    public static final int MAX_BACKING_FILE_BYTES = 1023;

    /** Longest name of the backing file's format in bytes. */
    public static final int MAX_BACKING_FORMAT_BYTES = 15;

    /** Longest name of an external data file in bytes; it names a file, so the host's longest path is enough. */
    public static final int MAX_DATA_FILE_BYTES = 4096;

    /** Most bitmaps. */
    public static final int MAX_BITMAPS = 65535;

    /** Largest bitmap directory in bytes. */
    public static final int MAX_BITMAP_DIRECTORY_BYTES = 64 << 20;

    /** Longest name of a bitmap in bytes. */
    public static final int MAX_BITMAP_NAME_BYTES = 1023;

    /** Most entries in one bitmap table. */
    public static final int MAX_BITMAP_TABLE_ENTRIES = 1 << 27;

    /** Most bytes that one bitmap may take on the host. */
    public static final long MAX_BITMAP_BYTES = 512L << 20;

    /** Most bytes that all the bitmaps together may take in memory which a writer keeps right; they take what is set. */
    public static final long MAX_TRACKED_BITMAP_BYTES = 512L << 20;

    /** Finest granularity of a bitmap: 2^9 bytes a bit. */
    public static final int MIN_BITMAP_GRANULARITY_BITS = 9;

    /** Coarsest granularity of a bitmap: 2^31 bytes a bit. */
    public static final int MAX_BITMAP_GRANULARITY_BITS = 31;

    private Limits() {}
}
