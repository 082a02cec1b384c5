package dev.cowherd.metadata;

/** What a layer says of a run of guest bytes. */
public enum RunKind {
    /** Nothing: the next layer answers. */
    UNALLOCATED,
    /** They are zeros, and no host cluster is kept for them. */
    ZERO,
    /** They are zeros, and a host cluster is kept for them that nobody reads. */
    ZERO_ALLOCATED,
    /** They are on the host as they are. */
    DATA,
    /** They are on the host as one compressed cluster. */
    COMPRESSED
}
