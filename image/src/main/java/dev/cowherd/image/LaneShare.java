package dev.cowherd.image;

import dev.cowherd.metadata.LayerHandles;
import dev.cowherd.metadata.WritableImage;
import dev.cowherd.storage.fiber.FiberLoop;
import java.lang.foreign.Arena;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What the requests that one queue has in flight share: caches, memory and bounds are the queue's, however deep it is. A
 * {@link DiskQueue} of its own has it alone.
 *
 * @param clusters decompressed clusters; to be closed with the queue
 * @param branches more fibers; null where there are none
 * @param early what to write back early: new clusters of all of them lie side by side; null where the top is no QCOW2 image that is written
 * @param copies memory for filling clusters; null there too
 */
record LaneShare(
        CompressedClusters clusters,
        @Nullable Branches branches,
        @Nullable EarlyWriteback early,
        @Nullable CopyBuffers copies) {
    /** For so many requests at most, on a loop's fibers or by system calls. */
    static LaneShare of(Disk disk, List<LayerHandles> handles, Arena arena, int depth, @Nullable FiberLoop loop) {
        WritableImage image = disk.layers().get(0).writable();
        return new LaneShare(
                // A long request's branches leave each other request a place.
                disk.compressedClusters(arena, loop == null ? 1 : depth + Branches.MOST_OF_A_REQUEST),
                loop == null ? null : new Branches(loop),
                image == null ? null : new EarlyWriteback(image, handles.get(0)),
                image == null
                        ? null
                        : new CopyBuffers(
                                arena,
                                disk.options().waits(),
                                image.header().geometry().clusterBytes()));
    }
}
