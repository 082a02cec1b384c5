package dev.cowherd.check;

/** How the active L2 tables map the virtual disk, in clusters. One a thread; added up at the end. */
final class L2Stats {
    long allocated;
    long fragmented;
    long compressed;
    /** Whether an active entry into an external data file lacks the COPIED flag. */
    boolean sawNotCopied;

    void add(L2Stats other) {
        allocated += other.allocated;
        fragmented += other.fragmented;
        compressed += other.compressed;
        sawNotCopied |= other.sawNotCopied;
    }
}
