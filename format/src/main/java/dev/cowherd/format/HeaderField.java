package dev.cowherd.format;

/** Where the fields of the header lie, in bytes from the start of the image. */
final class HeaderField {
    static final int MAGIC = 0;
    static final int VERSION = 4;
    static final int BACKING_FILE_OFFSET = 8;
    static final int BACKING_FILE_BYTES = 16;
    static final int CLUSTER_BITS = 20;
    static final int SIZE = 24;
    static final int CRYPT_METHOD = 32;
    static final int L1_ENTRIES = 36;
    static final int L1_OFFSET = 40;
    static final int REFCOUNT_TABLE_OFFSET = 48;
    static final int REFCOUNT_TABLE_CLUSTERS = 56;
    static final int SNAPSHOT_COUNT = 60;
    static final int SNAPSHOTS_OFFSET = 64;
    static final int INCOMPATIBLE_FEATURES = 72;
    static final int COMPATIBLE_FEATURES = 80;
    static final int AUTOCLEAR_FEATURES = 88;
    static final int REFCOUNT_ORDER = 96;
    static final int HEADER_LENGTH = 100;
    static final int COMPRESSION_TYPE = 104;

    /** Length of a version 2 header. */
    static final int V2_LENGTH = 72;

    /** Length of the shortest version 3 header. */
    static final int V3_MIN_LENGTH = 104;

    /** Length of the version 3 header that QEMU and this engine write: with the compression type, padded to a multiple of 8. */
    static final int V3_LENGTH = 112;

    private HeaderField() {}
}
