package dev.cowherd.image;

import dev.cowherd.format.Geometry;
import dev.cowherd.format.Header;
import dev.cowherd.format.Refcounts;
import dev.cowherd.storage.Storage;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * Guesses, as QEMU does before it answers questions about allocation, whether an image was made with preallocated metadata: if
 * clearly more clusters are in use than the host has given the file space for, data clusters are probably holes.
 */
final class PreallocationProbe {
    private static final ValueLayout.OfLong BIG_ENDIAN =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

    private final Storage file;
    private final Header header;
    private final Geometry geometry;

    PreallocationProbe(Storage file, Header header) {
        this.file = file;
        this.header = header;
        this.geometry = header.geometry();
    }

    boolean looksPreallocated() throws IOException {
        long hostClusters = file.allocatedBytes() >>> geometry.clusterBits();
        long threshold = Math.max(hostClusters * 10 / 9, hostClusters + 2);
        long clusters = geometry.clustersFor(file.sizeBytes());
        if (clusters < threshold) {
            return false;
        }
        // A block that the host has no space for counts nothing, so no more blocks than that are worth reading.
        long blocksLeft = hostClusters + 1;
        long used = 0;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment block = arena.allocate(geometry.clusterBytes(), 4096);
            MemorySegment entry = arena.allocate(Long.BYTES, Long.BYTES);
            long blocks = (long) header.refcountTableClusters() << (geometry.clusterBits() - 3);
            for (long i = 0; i < blocks && i << geometry.refcountsPerBlockBits() < clusters; i++) {
                if (file.read(header.refcountTableOffset() + i * Long.BYTES, entry) < Long.BYTES) {
                    return false;
                }
                long blockOffset = entry.get(BIG_ENDIAN, 0) & -geometry.clusterBytes();
                if (blockOffset > 0 && blocksLeft-- > 0) {
                    long from = i << geometry.refcountsPerBlockBits();
                    used += usedIn(block, blockOffset, Math.min(clusters - from, geometry.refcountsPerBlock()));
                }
                if (used >= threshold) {
                    return true;
                }
            }
        }
        return false;
    }

    private long usedIn(MemorySegment block, long blockOffset, long count) throws IOException {
        long read = file.read(blockOffset, block);
        block.asSlice(read).fill((byte) 0);
        long used = 0;
        for (int i = 0; i < count; i++) {
            if (Refcounts.get(block, i, geometry.refcountOrder()) != 0) {
                used++;
            }
        }
        return used;
    }
}
