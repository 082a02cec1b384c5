package dev.cowherd.metadata;

import dev.cowherd.format.Refcounts;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * A refcount block in memory, as it stands on disk, and which of its bytes the disk does not have yet. Not thread-safe: the
 * allocator's mutex guards it.
 */
final class RefcountBlock {
    /** Changes are written in pieces of this size: what a disk writes whole. */
    private static final int SECTOR_BYTES = 512;

    final int index;
    final long hostOffset;
    /** Whether the refcount table on disk does not name it yet. */
    boolean fresh;
    /** Whether a flush round has a copy of it under way. It stays in memory until that has ended. */
    boolean writing;

    private final byte[] bytes;
    private final MemorySegment segment;
    private final int order;
    private int dirtyFrom = Integer.MAX_VALUE;
    private int dirtyEnd;

    RefcountBlock(int index, long hostOffset, byte[] bytes, int order, boolean fresh) {
        this.index = index;
        this.hostOffset = hostOffset;
        this.bytes = bytes;
        this.segment = MemorySegment.ofArray(bytes);
        this.order = order;
        this.fresh = fresh;
        if (fresh) {
            dirtyFrom = 0;
            dirtyEnd = bytes.length;
        }
    }

    /** A run of bytes of a block, copied to be written. */
    static final class Copy {
        final RefcountBlock block;
        final int from;
        final byte[] bytes;
        final boolean fresh;

        private Copy(RefcountBlock block, int from, byte[] bytes) {
            this.block = block;
            this.from = from;
            this.bytes = bytes;
            this.fresh = block.fresh;
        }

        long hostOffset() {
            return block.hostOffset + from;
        }
    }

    long get(long entry) {
        return Refcounts.get(segment, entry, order);
    }

    void set(long entry, long value) {
        Refcounts.set(segment, entry, order, value);
        int at = (int) (entry << order >>> 3) & -SECTOR_BYTES;
        dirtyFrom = Math.min(dirtyFrom, at);
        dirtyEnd = Math.max(dirtyEnd, at + SECTOR_BYTES);
    }

    boolean isDirty() {
        return dirtyEnd > dirtyFrom;
    }

    boolean mustStay() {
        return isDirty() || writing;
    }

    /** Copies what the disk does not have and counts it as on its way. */
    Copy copyForWriting() {
        int from = dirtyFrom;
        byte[] copy = Arrays.copyOfRange(bytes, from, Math.min(dirtyEnd, bytes.length));
        dirtyFrom = Integer.MAX_VALUE;
        dirtyEnd = 0;
        writing = true;
        return new Copy(this, from, copy);
    }

    /** A copy did not reach the disk: its bytes are dirty again. */
    void writeFailed(Copy copy) {
        dirtyFrom = Math.min(dirtyFrom, copy.from);
        dirtyEnd = Math.max(dirtyEnd, copy.from + copy.bytes.length);
        writing = false;
    }

    byte[] copyOfAll() {
        return bytes.clone();
    }
}
