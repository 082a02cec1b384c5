package dev.cowherd.check;

/** What a repair may change. */
public enum RepairMode {
    /**
     * Gives back clusters that nothing refers to. Flags in L1 and L2 entries are corrected too, but only in an image that has no
     * fault besides them.
     */
    LEAKS,

    /** Corrects all that can be corrected without guessing: refcounts that are too high or too low, their tables, flags. */
    ALL
}
