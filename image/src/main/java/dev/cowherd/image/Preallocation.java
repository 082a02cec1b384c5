package dev.cowherd.image;

/** What a new image holds ready for the guest's first writes. */
public enum Preallocation {
    /** Nothing: clusters are taken when they are written. */
    OFF,
    /** The tables map every cluster, but the host gives space only when a cluster is written. */
    METADATA,
    /** The tables map every cluster and the host keeps the space for all of them. */
    FALLOC,
    /** The tables map every cluster and zeros are written to all of them. */
    FULL
}
