package dev.cowherd.metadata;

/** What a layer says of a run of guest bytes. */
public enum RunKind {
    /** Nothing: the next layer answers. */
    UNALLOCATED,
    /** Nothing: the next layer answers; yet a host cluster is kept for them, because neighbouring subclusters use it. */
    UNALLOCATED_PLACED,
    /** They are zeros, and no host cluster is kept for them. */
    ZERO,
    /** They are zeros, and a host cluster is kept for them that nobody reads. */
    ZERO_ALLOCATED,
    /** They are on the host as they are. */
    DATA,
    /** They are on the host as one compressed cluster. */
    COMPRESSED;

    /** Whether the next layer answers. */
    boolean isUnallocated() {
        return this == UNALLOCATED || this == UNALLOCATED_PLACED;
    }

    /** Whether there is a host offset at which the bytes lie or would lie. */
    boolean hasPlace() {
        return this == UNALLOCATED_PLACED || this == ZERO_ALLOCATED || this == DATA;
    }
}
