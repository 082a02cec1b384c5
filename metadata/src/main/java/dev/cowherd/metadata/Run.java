package dev.cowherd.metadata;

/**
 * What one layer says of a run of guest bytes: filled by {@link ImageMap#locate}, kept and reused by one queue so that a look-up
 * allocates nothing.
 */
final class Run {
    /** Whether it matters what host cluster is kept for bytes that are not read from it; a read wants longer runs instead. */
    boolean exact;

    /** Whether only tables that are in memory are asked: the run ends, or does not begin, where one would have to be loaded. */
    boolean loadedOnly;

    RunKind kind = RunKind.UNALLOCATED;
    /** Guest bytes. */
    long length;
    /** Where the run starts on the host; for a compressed cluster, where its data starts. Without meaning for the other kinds. */
    long hostOffset;
    /** Length of the compressed data in bytes, at most. */
    int compressedBytes;
    /** Where in its compressed cluster the run starts. */
    int offsetInCluster;

    /** Whether a piece of the same layer that starts where this run ends belongs to it. */
    boolean continuesWith(RunKind nextKind, long nextHostOffset) {
        return kind == nextKind
                && switch (kind) {
                    case UNALLOCATED, ZERO -> true;
                    case UNALLOCATED_PLACED, ZERO_ALLOCATED, DATA -> hostOffset + length == nextHostOffset;
                    case COMPRESSED -> false;
                };
    }
}
