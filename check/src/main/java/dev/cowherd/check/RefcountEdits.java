package dev.cowherd.check;

import dev.cowherd.format.Geometry;
import dev.cowherd.format.Refcounts;
import dev.cowherd.storage.Storage;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Changes refcounts in the blocks of the file, which are sound: each belongs to the refcount table alone. Edits of neighbours are
 * gathered and reach the storage by {@link #flush}, sector by whole sector.
 */
final class RefcountEdits implements AutoCloseable {
    private static final long NONE = -1;
    private static final long SECTOR_MASK = CheckLimits.SECTOR_BYTES - 1;

    private final Geometry geometry;
    private final RefcountBlocks refcounts;
    private final Storage storage;
    private final RepairWriter writer;
    private final Arena arena = Arena.ofConfined();
    private final MemorySegment block;
    private long blockOffset = NONE;
    private long dirtyFrom;
    private long dirtyTo;

    RefcountEdits(Geometry geometry, RefcountBlocks refcounts, Storage storage, RepairWriter writer) {
        this.geometry = geometry;
        this.refcounts = refcounts;
        this.storage = storage;
        this.writer = writer;
        this.block = arena.allocate(geometry.clusterBytes(), 4096);
    }

    void set(long cluster, long refcount) throws IOException {
        long offset = refcounts.blockOffset(cluster);
        if (offset == 0) {
            throw new IllegalStateException("no refcount block covers cluster " + cluster);
        }
        if (offset != blockOffset) {
            flush();
            load(offset);
        }
        long index = cluster & (geometry.refcountsPerBlock() - 1);
        Refcounts.set(block, index, geometry.refcountOrder(), refcount);
        long at = (index << geometry.refcountOrder()) / Byte.SIZE;
        dirtyFrom = Math.min(dirtyFrom, at & ~SECTOR_MASK);
        dirtyTo = Math.max(dirtyTo, (at | SECTOR_MASK) + 1);
    }

    /** Hands what was changed to the storage; it is durable after the writer's next sync. */
    void flush() throws IOException {
        if (blockOffset != NONE && dirtyFrom < dirtyTo) {
            writer.write(blockOffset + dirtyFrom, block.asSlice(dirtyFrom, dirtyTo - dirtyFrom));
        }
        blockOffset = NONE;
    }

    private void load(long offset) throws IOException {
        long got = storage.read(offset, block);
        block.asSlice(got).fill((byte) 0);
        blockOffset = offset;
        dirtyFrom = geometry.clusterBytes();
        dirtyTo = 0;
    }

    @Override
    public void close() {
        arena.close();
    }
}
