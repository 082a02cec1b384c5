package dev.cowherd.image;

import dev.cowherd.format.Geometry;
import dev.cowherd.format.L1Entry;
import dev.cowherd.format.L2Entry;
import dev.cowherd.format.Limits;
import dev.cowherd.format.RefcountTableEntry;

/**
 * Where everything of a new image lies: header, refcount table, refcount blocks, L1 table, and, if every cluster is mapped, L2
 * tables and data. There are no gaps, so every cluster up to the end has a refcount of 1. Places are in clusters.
 *
 * @param geometry the image's shape
 * @param sizeBytes size of the disk in bytes
 * @param dataInside whether guest clusters lie in the image itself
 * @param together whether all data follows all L2 tables, rather than each table's data the table
 * @param tableClusters length of the refcount table
 * @param blocks number of refcount blocks
 * @param l1Clusters length of the L1 table
 * @param l2Tables number of L2 tables, 0 if nothing is mapped
 * @param dataClusters number of mapped guest clusters, wherever they lie
 */
record FreshLayout(
        Geometry geometry,
        long sizeBytes,
        boolean dataInside,
        boolean together,
        long tableClusters,
        long blocks,
        long l1Clusters,
        long l2Tables,
        long dataClusters) {
    /** Offsets of an entry have 56 bits. */
    private static final long MOST_BYTES = 1L << 56;

    /**
     * Plans an image.
     *
     * @throws IllegalArgumentException if its refcount table would be larger than QEMU opens, or its end cannot be addressed
     */
    static FreshLayout of(CreateOptions options) {
        Geometry geometry = options.geometry();
        boolean mapped = options.preallocation() != Preallocation.OFF;
        boolean inside = options.dataFile() == null;
        long l1Clusters = geometry.clustersFor(geometry.l1EntriesFor(options.sizeBytes()) * L1Entry.BYTES);
        long l2Tables = mapped ? geometry.l1EntriesFor(options.sizeBytes()) : 0;
        long data = mapped ? geometry.clustersFor(options.sizeBytes()) : 0;
        long counted = 1 + l1Clusters + l2Tables + (inside ? data : 0);
        if (Math.max(counted, data) > MOST_BYTES >> geometry.clusterBits()) {
            throw tooLarge();
        }
        long table = 1;
        long blocks = 1;
        while (true) {
            long blocksNeeded = ceil(counted + table + blocks, geometry.refcountsPerBlock());
            long tableNeeded = geometry.clustersFor(blocksNeeded * RefcountTableEntry.BYTES);
            if (tableNeeded > Limits.MAX_REFCOUNT_TABLE_BYTES >> geometry.clusterBits()) {
                throw tooLarge();
            }
            if (blocksNeeded == blocks && tableNeeded == table) {
                break;
            }
            blocks = blocksNeeded;
            table = tableNeeded;
        }
        boolean together = options.preallocation() != Preallocation.METADATA;
        return new FreshLayout(
                geometry, options.sizeBytes(), inside, together, table, blocks, l1Clusters, l2Tables, data);
    }

    private static long ceil(long count, long unit) {
        return (count + unit - 1) / unit;
    }

    private static IllegalArgumentException tooLarge() {
        return new IllegalArgumentException(
                "The image size is too large for file format 'qcow2' (try using a larger cluster size)");
    }

    long refcountTableAt() {
        return 1;
    }

    long firstBlockAt() {
        return refcountTableAt() + tableClusters;
    }

    long l1At() {
        return firstBlockAt() + blocks;
    }

    int l1Entries() {
        return (int) geometry.l1EntriesFor(sizeBytes);
    }

    /** The place of an L2 table, of {@link #l2Tables()}. */
    long l2At(long table) {
        long before = dataInside && !together ? table * geometry.l2EntriesPerTable() : 0;
        return l1At() + l1Clusters + table + before;
    }

    /** The place of a guest cluster, in the image or in the external data file. */
    long dataAt(long guestCluster) {
        if (!dataInside) {
            return guestCluster;
        }
        return together
                ? l1At() + l1Clusters + l2Tables + guestCluster
                : l2At(guestCluster >>> geometry.l2EntryBits())
                        + 1
                        + (guestCluster & (geometry.l2EntriesPerTable() - 1));
    }

    /** The number of clusters in the image, all of them counted once. */
    long clusters() {
        return l1At() + l1Clusters + l2Tables + (dataInside ? dataClusters : 0);
    }

    /** Where the image's file ends, in bytes: an L1 table that is the last thing in it is not filled up to a cluster. */
    long endBytes() {
        return l2Tables > 0 || l1Clusters == 0 ? bytes(clusters()) : bytes(l1At()) + (long) l1Entries() * L1Entry.BYTES;
    }

    long bytes(long clusters) {
        return clusters << geometry.clusterBits();
    }

    /** The L2 entry of a guest cluster; of extended entries its first word. */
    long l2Entry(long guestCluster) {
        return L2Entry.standard(bytes(dataAt(guestCluster)), true, false);
    }
}
