package dev.cowherd.format;

import static dev.cowherd.format.Limits.MAX_CLUSTER_BITS;
import static dev.cowherd.format.Limits.MAX_REFCOUNT_ORDER;
import static dev.cowherd.format.Limits.MIN_CLUSTER_BITS;
import static dev.cowherd.format.Limits.MIN_CLUSTER_BITS_EXTENDED_L2;

/**
 * The shape of an image: every size and count that follows from its cluster size, its kind of L2 entries and its
 * refcount width. All are powers of two.
 *
 * @param clusterBits log2 of the cluster size in bytes, 9 to 21 (14 to 21 with extended L2 entries)
 * @param extendedL2 whether an L2 entry is two words with 32 subclusters
 * @param refcountOrder log2 of the refcount width in bits, 0 to 6
 */
public record Geometry(int clusterBits, boolean extendedL2, int refcountOrder) {
    /** Subclusters in a cluster of an image with extended L2 entries. */
    public static final int SUBCLUSTERS = 32;

    /**
     * Checks the ranges.
     *
     * @throws IllegalArgumentException if a value is out of its range; {@link Header#decode} has refused such images
     */
    public Geometry {
        int least = extendedL2 ? MIN_CLUSTER_BITS_EXTENDED_L2 : MIN_CLUSTER_BITS;
        if (clusterBits < least || clusterBits > MAX_CLUSTER_BITS) {
            throw new IllegalArgumentException("cluster bits " + clusterBits);
        }
        if (refcountOrder < 0 || refcountOrder > MAX_REFCOUNT_ORDER) {
            throw new IllegalArgumentException("refcount order " + refcountOrder);
        }
    }

    /**
     * The cluster size.
     *
     * @return bytes, 512 to 2 MiB
     */
    public int clusterBytes() {
        return 1 << clusterBits;
    }

    /**
     * The offset of a byte within its cluster.
     *
     * @param offset any offset in bytes
     * @return 0 to cluster size - 1
     */
    public int offsetInCluster(long offset) {
        return (int) (offset & (clusterBytes() - 1));
    }

    /**
     * The clusters that a number of bytes takes.
     *
     * @param bytes bytes, not negative
     * @return clusters, rounded up; never overflows
     */
    public long clustersFor(long bytes) {
        return (bytes >>> clusterBits) + (offsetInCluster(bytes) == 0 ? 0 : 1);
    }

    /**
     * The size of one L2 entry.
     *
     * @return 8 or, with subclusters, 16 bytes
     */
    public int l2EntryBytes() {
        return extendedL2 ? 16 : 8;
    }

    /**
     * log2 of {@link #l2EntriesPerTable()}.
     *
     * @return 6 to 18
     */
    public int l2EntryBits() {
        return clusterBits - (extendedL2 ? 4 : 3);
    }

    /**
     * The entries in one L2 table, which fills a cluster.
     *
     * @return 64 to 262,144
     */
    public int l2EntriesPerTable() {
        return 1 << l2EntryBits();
    }

    /**
     * log2 of {@link #guestBytesPerL2Table()}.
     *
     * @return 15 to 39
     */
    public int guestBitsPerL2Table() {
        return clusterBits + l2EntryBits();
    }

    /**
     * The guest bytes that one L2 table, so one L1 entry, maps.
     *
     * @return 32 KiB to 512 GiB
     */
    public long guestBytesPerL2Table() {
        return 1L << guestBitsPerL2Table();
    }

    /**
     * The L1 entry that maps a guest offset.
     *
     * @param guestOffset guest offset in bytes, not negative
     * @return the index in the L1 table
     */
    public long l1Index(long guestOffset) {
        return guestOffset >>> guestBitsPerL2Table();
    }

    /**
     * The L2 entry that maps a guest offset.
     *
     * @param guestOffset guest offset in bytes, not negative
     * @return the index in its L2 table
     */
    public int l2Index(long guestOffset) {
        return (int) (guestOffset >>> clusterBits) & (l2EntriesPerTable() - 1);
    }

    /**
     * The L1 entries that a disk needs.
     *
     * @param guestBytes size of the disk in bytes, not negative
     * @return entries, rounded up; never overflows
     */
    public long l1EntriesFor(long guestBytes) {
        long rest = guestBytes & (guestBytesPerL2Table() - 1);
        return (guestBytes >>> guestBitsPerL2Table()) + (rest == 0 ? 0 : 1);
    }

    /**
     * log2 of {@link #subclusterBytes()}.
     *
     * @return 9 to 21
     */
    public int subclusterBits() {
        return extendedL2 ? clusterBits - 5 : clusterBits;
    }

    /**
     * The size of a subcluster: a 32nd of a cluster with extended L2 entries, else the cluster.
     *
     * @return bytes
     */
    public int subclusterBytes() {
        return 1 << subclusterBits();
    }

    /**
     * The width of a refcount.
     *
     * @return bits, 1 to 64
     */
    public int refcountBits() {
        return 1 << refcountOrder;
    }

    /**
     * log2 of {@link #refcountsPerBlock()}.
     *
     * @return 6 to 24
     */
    public int refcountsPerBlockBits() {
        return clusterBits + 3 - refcountOrder;
    }

    /**
     * The refcounts in one refcount block, which fills a cluster.
     *
     * @return 64 to 16,777,216
     */
    public int refcountsPerBlock() {
        return 1 << refcountsPerBlockBits();
    }

    /**
     * The largest refcount that fits.
     *
     * @return an unsigned 64-bit number
     */
    public long maxRefcount() {
        return refcountOrder == MAX_REFCOUNT_ORDER ? -1L : (1L << refcountBits()) - 1;
    }
}
