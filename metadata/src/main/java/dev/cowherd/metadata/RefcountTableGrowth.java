package dev.cowherd.metadata;

import dev.cowherd.format.Geometry;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A larger refcount table and the blocks that count it and themselves, all in one run of clusters at the end of the file. The old
 * table stays in force until the header names the new one.
 *
 * <p>A plan: made under the allocator's mutex, written by who has the flush turn.
 */
final class RefcountTableGrowth {
    private final Geometry geometry;
    private final long firstCluster;
    private final int firstBlock;
    private final int blocks;
    private final int tableClusters;
    private final long[] table;

    private RefcountTableGrowth(
            Geometry geometry, long firstCluster, int firstBlock, int blocks, int tableClusters, long[] table) {
        this.geometry = geometry;
        this.firstCluster = firstCluster;
        this.firstBlock = firstBlock;
        this.blocks = blocks;
        this.tableClusters = tableClusters;
        this.table = table;
    }

    /**
     * Plans a table that reaches a cluster and has room to grow by half.
     *
     * @param old the table now
     * @param end no cluster from here on is in use
     */
    static RefcountTableGrowth plan(Geometry geometry, long[] old, long end, long cluster) {
        int blockBits = geometry.refcountsPerBlockBits();
        // The run begins where no block counts yet: it brings its own.
        long first = Math.max(end, (long) old.length << blockBits);
        int firstBlock = Math.toIntExact(first >>> blockBits);
        int blocks = 1;
        while (true) {
            long least = Math.max(firstBlock + (long) blocks, (cluster >>> blockBits) + 1);
            long entries = Math.max(least, least + least / 2);
            int tableClusters = Math.toIntExact(geometry.clustersFor(entries * Long.BYTES));
            int needed = Math.toIntExact(((first + blocks + tableClusters - 1) >>> blockBits) - firstBlock + 1);
            if (needed <= blocks) {
                int tableEntries = Math.toIntExact(((long) tableClusters << geometry.clusterBits()) / Long.BYTES);
                long[] table = Arrays.copyOf(old, tableEntries);
                for (int i = 0; i < blocks; i++) {
                    table[firstBlock + i] = (first + i) << geometry.clusterBits();
                }
                return new RefcountTableGrowth(geometry, first, firstBlock, blocks, tableClusters, table);
            }
            blocks = needed;
        }
    }

    long tableOffset() {
        return (firstCluster + blocks) << geometry.clusterBits();
    }

    int tableClusters() {
        return tableClusters;
    }

    long[] table() {
        return table;
    }

    long firstCluster() {
        return firstCluster;
    }

    long endCluster() {
        return firstCluster + blocks + tableClusters;
    }

    int blocks() {
        return blocks;
    }

    /** The new blocks, clean as soon as they are written. */
    List<RefcountBlock> newBlocks() {
        List<RefcountBlock> made = new ArrayList<>();
        int blockBits = geometry.refcountsPerBlockBits();
        for (int i = 0; i < blocks; i++) {
            RefcountBlock block = new RefcountBlock(
                    firstBlock + i,
                    (firstCluster + i) << geometry.clusterBits(),
                    new byte[geometry.clusterBytes()],
                    geometry.refcountOrder(),
                    true);
            long from = (long) (firstBlock + i) << blockBits;
            for (long cluster = Math.max(from, firstCluster);
                    cluster < Math.min(from + (1L << blockBits), endCluster());
                    cluster++) {
                block.set(cluster - from, 1);
            }
            made.add(block);
        }
        return made;
    }

    void write(TableIo io) throws IOException {
        for (RefcountBlock block : newBlocks()) {
            io.writeBytes(block.hostOffset, block.copyOfAll(), null);
        }
        io.writeTable(tableOffset(), table, null);
    }
}
