package dev.cowherd.metadata;

import dev.cowherd.format.CorruptImageException;
import dev.cowherd.format.Geometry;
import dev.cowherd.format.RefcountTableEntry;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * The refcounts as this process sees them: the refcount table whole, its blocks as far as they are in memory. A refcount in memory
 * is never lower than the references that the disk may still hold, so 0 here means free for anyone.
 *
 * <p>Does no I/O and is not thread-safe: the allocator's mutex guards it.
 */
final class RefcountStore {
    /** The memory for blocks that need not stay, in bytes. */
    private static final long CLEAN_BUDGET_BYTES = 4L << 20;

    private static final int LEAST_CLEAN_BLOCKS = 4;

    private final Geometry geometry;
    private final int blockBits;
    private final int maxCleanBlocks;
    private long[] table;
    private final LinkedHashMap<Integer, RefcountBlock> blocks = new LinkedHashMap<>(16, 0.75f, true);
    private TreeSet<Integer> dirtyTableEntries = new TreeSet<>();

    RefcountStore(Geometry geometry, long[] table) {
        this.geometry = geometry;
        this.blockBits = geometry.refcountsPerBlockBits();
        this.table = table;
        this.maxCleanBlocks =
                (int) Math.max(LEAST_CLEAN_BLOCKS, CLEAN_BUDGET_BYTES / Math.max(1, geometry.clusterBytes()));
    }

    int blockBits() {
        return blockBits;
    }

    int tableEntries() {
        return table.length;
    }

    long tableWord(int index) {
        return table[index];
    }

    long[] copyOfTable() {
        return table.clone();
    }

    /** Which block has a cluster's refcount. */
    long blockOf(long cluster) {
        return cluster >>> blockBits;
    }

    /** Whether the table reaches as far as a cluster. */
    boolean reaches(long cluster) {
        return blockOf(cluster) < table.length;
    }

    /** Whether a cluster's refcount can be told now: its block is in memory, or there is none and it is 0. */
    boolean knows(long cluster) {
        long index = blockOf(cluster);
        return index >= table.length || blockOffset((int) index) == 0 || blocks.containsKey((int) index);
    }

    boolean hasBlock(int index) {
        return blockOffset(index) != 0;
    }

    long blockOffset(int index) {
        return RefcountTableEntry.blockOffset(table[index]);
    }

    /** A refcount that {@link #knows} has said yes for. */
    long get(long cluster) {
        long index = blockOf(cluster);
        if (index >= table.length || blockOffset((int) index) == 0) {
            return 0;
        }
        return block((int) index).get(cluster & (1L << blockBits) - 1);
    }

    /** Sets a refcount whose block is in memory. */
    void set(long cluster, long count) {
        block((int) blockOf(cluster)).set(cluster & (1L << blockBits) - 1, count);
    }

    private RefcountBlock block(int index) {
        RefcountBlock block = blocks.get(index);
        if (block == null) {
            throw new IllegalStateException("refcount block " + index + " is not in memory");
        }
        return block;
    }

    /** Takes in a block that was read. */
    void loaded(int index, byte[] bytes) {
        blocks.put(index, new RefcountBlock(index, blockOffset(index), bytes, geometry.refcountOrder(), false));
        trim(index);
    }

    /** Makes a new block that lies at a cluster; all its refcounts are 0. */
    void create(int index, long cluster) {
        long offset = cluster << geometry.clusterBits();
        table[index] = offset;
        blocks.put(
                index,
                new RefcountBlock(index, offset, new byte[geometry.clusterBytes()], geometry.refcountOrder(), true));
        dirtyTableEntries.add(index);
    }

    /** Lets blocks go, the one used longest ago first, but none that the disk does not have. */
    private void trim(int keep) {
        int clean = 0;
        for (RefcountBlock block : blocks.values()) {
            clean += block.mustStay() ? 0 : 1;
        }
        Iterator<RefcountBlock> oldest = blocks.values().iterator();
        while (clean > maxCleanBlocks && oldest.hasNext()) {
            RefcountBlock block = oldest.next();
            if (!block.mustStay() && block.index != keep) {
                oldest.remove();
                clean--;
            }
        }
    }

    boolean isDirty() {
        if (!dirtyTableEntries.isEmpty()) {
            return true;
        }
        for (RefcountBlock block : blocks.values()) {
            if (block.isDirty()) {
                return true;
            }
        }
        return false;
    }

    /** Copies all that the disk does not have. */
    List<RefcountBlock.Copy> copyDirtyBlocks() {
        List<RefcountBlock.Copy> copies = new ArrayList<>();
        for (RefcountBlock block : blocks.values()) {
            if (block.isDirty()) {
                copies.add(block.copyForWriting());
            }
        }
        return copies;
    }

    /** The table entries that the disk does not have, by index, with the blocks they name. */
    Map<Integer, Long> takeDirtyTableEntries() {
        Map<Integer, Long> entries = new LinkedHashMap<>();
        for (int index : dirtyTableEntries) {
            entries.put(index, table[index]);
        }
        dirtyTableEntries = new TreeSet<>();
        return entries;
    }

    void tableEntriesFailed(Map<Integer, Long> entries) {
        dirtyTableEntries.addAll(entries.keySet());
    }

    void written(List<RefcountBlock.Copy> copies) {
        for (RefcountBlock.Copy copy : copies) {
            copy.block.writing = false;
            copy.block.fresh = false;
        }
    }

    void failed(List<RefcountBlock.Copy> copies) {
        for (RefcountBlock.Copy copy : copies) {
            copy.block.writeFailed(copy);
        }
    }

    /** A larger table is in force, which has all that this one had when it was planned. */
    void replaceTable(RefcountTableGrowth growth) {
        long[] larger = growth.table().clone();
        System.arraycopy(table, 0, larger, 0, table.length);
        table = larger;
        for (RefcountBlock block : growth.newBlocks()) {
            block.copyForWriting();
            block.writing = false;
            block.fresh = false;
            blocks.put(block.index, block);
        }
    }

    /** The complaint about a table entry, or null. */
    @Nullable
    CorruptImageException complaint(int index, long tableOffset, long fileBytes, String path) {
        long word = table[index];
        String reason = null;
        if (RefcountTableEntry.reserved(word) != 0) {
            reason = "reserved bits 0x" + Long.toHexString(RefcountTableEntry.reserved(word)) + " are set";
        } else if (geometry.offsetInCluster(blockOffset(index)) != 0) {
            reason = "the refcount block's offset is not a multiple of the cluster size";
        } else if (blockOffset(index) < 0 || blockOffset(index) >= fileBytes) {
            reason = "the refcount block lies past the file's end at " + fileBytes;
        }
        return reason == null
                ? null
                : new CorruptImageException(
                                "refcount table entry " + index,
                                tableOffset + (long) index * RefcountTableEntry.BYTES,
                                "0x" + Long.toHexString(word) + ": " + reason)
                        .withPath(path);
    }
}
