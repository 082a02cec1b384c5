package dev.cowherd.image;

/** What a request that makes zeros may do with the space on the host. */
public enum ZeroMode {
    /** Give it back: a later write allocates again. */
    MAY_UNMAP,
    /** Keep it for later writes. */
    KEEP_ALLOCATED
}
