package dev.cowherd.check;

import dev.cowherd.format.Geometry;
import dev.cowherd.format.Limits;
import dev.cowherd.format.RefcountTableEntry;
import dev.cowherd.format.Refcounts;
import dev.cowherd.format.UnsupportedImageException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Makes new refcount blocks and a new refcount table from the references counted, in clusters that nothing refers to, and then
 * lets the header name them. Until that one write the image is what it was; after it the clusters of the old structures are
 * leaks, which the caller gives back.
 */
final class RefcountRebuild {
    private final Geometry geometry;
    private final ReferenceCounts counts;
    private final ClusterOwners owners;
    private final RepairWriter writer;
    /** Where to begin to look for free clusters: past the file's end if not all owners may be known. */
    private final long searchFrom;

    private long clusters;
    private long[] table = new long[0];

    /**
     * A rebuild.
     *
     * @param broken a pass that counted everything; its counts get the references to the new structures
     * @param ownersKnown whether each cluster without a reference is surely free
     */
    RefcountRebuild(Inspection broken, boolean ownersKnown, RepairWriter writer) {
        this.geometry = broken.header().geometry();
        this.counts = broken.counts();
        this.owners = broken.owners();
        this.clusters = owners.clusters();
        this.searchFrom = ownersKnown ? 0 : clusters;
        this.writer = writer;
    }

    void run() throws IOException {
        allocateBlocks(0, clusters);
        long tableOffset;
        int tableClusters;
        boolean grew;
        do {
            // A table that turns out too small for the blocks that its own clusters need stays behind as a leak.
            tableClusters = tableClusters();
            long first = allocate(tableClusters, searchFrom);
            tableOffset = first << geometry.clusterBits();
            grew = allocateBlocks(first, first + tableClusters);
        } while (grew);
        writeBlocks();
        writer.words(tableOffset, Arrays.copyOf(table, tableClusters << (geometry.clusterBits() - 3)));
        writer.sync();
        writer.switchRefcountTable(tableOffset, tableClusters);
    }

    private int tableClusters() {
        return Math.toIntExact(geometry.clustersFor((long) table.length * RefcountTableEntry.BYTES));
    }

    /** Takes a cluster for each missing block that covers a cluster in use; true if the table grew by clusters. */
    private boolean allocateBlocks(long first, long end) throws IOException {
        int before = tableClusters();
        long free = searchFrom;
        long stop = end;
        for (long cluster = nextUsed(first, stop); cluster < stop; ) {
            int index = Math.toIntExact(cluster >>> geometry.refcountsPerBlockBits());
            long blockStart = (long) index << geometry.refcountsPerBlockBits();
            if (index >= table.length || table[index] == 0) {
                // Never below: a block that was passed already would have to count this one.
                long block = allocate(1, Math.max(free, blockStart));
                free = block + 1;
                stop = Math.max(stop, free);
                growTable(index);
                table[index] = RefcountTableEntry.of(block << geometry.clusterBits());
            }
            cluster = nextUsed(blockStart + geometry.refcountsPerBlock(), stop);
        }
        return tableClusters() > before;
    }

    private void growTable(int index) throws UnsupportedImageException {
        if (index < table.length) {
            return;
        }
        long entriesPerCluster = geometry.clusterBytes() / RefcountTableEntry.BYTES;
        long entries = (index / entriesPerCluster + 1) * entriesPerCluster;
        if (entries * RefcountTableEntry.BYTES > Limits.MAX_REFCOUNT_TABLE_BYTES) {
            throw new UnsupportedImageException(
                    "refcount table",
                    -1,
                    "the file needs a table of " + entries * RefcountTableEntry.BYTES + " bytes; at most "
                            + Limits.MAX_REFCOUNT_TABLE_BYTES);
        }
        table = Arrays.copyOf(table, (int) entries);
    }

    /** The first run of free clusters from a cluster on, at the file's end if there is none before; they are counted as used. */
    private long allocate(int count, long from) throws UnsupportedImageException {
        long at = from;
        int run = 0;
        while (run < count) {
            if (at == counts.clusters()) {
                throw new UnsupportedImageException(
                        "refcount table", -1, "entries that point behind the file's end leave no room for a new one");
            }
            run = counts.get(at) == 0 && !owners.isNamedBeyond(at) ? run + 1 : 0;
            at++;
        }
        long first = at - run;
        clusters = Math.max(clusters, first + count);
        counts.add(first, count, 1, 0);
        return first;
    }

    private long nextUsed(long from, long end) {
        long cluster = from;
        while (cluster < end) {
            ReferenceCounts.Region region = counts.regionAt(cluster);
            long regionEnd = (cluster | (ReferenceCounts.REGION_CLUSTERS - 1)) + 1;
            if (region == null) {
                cluster = regionEnd;
                continue;
            }
            for (long stop = Math.min(end, regionEnd); cluster < stop; cluster++) {
                if (region.get((int) cluster & (ReferenceCounts.REGION_CLUSTERS - 1)) != 0) {
                    return cluster;
                }
            }
        }
        return end;
    }

    private void writeBlocks() throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment block = arena.allocate(geometry.clusterBytes(), 4096);
            for (int i = 0; i < table.length; i++) {
                if (table[i] != 0) {
                    fill(block, (long) i << geometry.refcountsPerBlockBits());
                    writer.write(RefcountTableEntry.blockOffset(table[i]), block);
                }
            }
        }
    }

    private void fill(MemorySegment block, long first) {
        block.fill((byte) 0);
        long max = geometry.maxRefcount();
        long end = Math.min(clusters, first + geometry.refcountsPerBlock());
        for (long cluster = nextUsed(first, end); cluster < end; cluster = nextUsed(cluster + 1, end)) {
            long references = counts.get(cluster);
            long refcount = Long.compareUnsigned(references, max) > 0 ? max : references;
            Refcounts.set(block, cluster - first, geometry.refcountOrder(), refcount);
        }
    }
}
