package dev.cowherd.image;

import dev.cowherd.metadata.Extent;
import dev.cowherd.storage.Storage;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/** Moves the bytes of extents for one queue: from the host, from a decompressed cluster, or zeros. */
final class ExtentReader {
    private final CompressedClusters compressedClusters;

    ExtentReader(CompressedClusters compressedClusters) {
        this.compressedClusters = compressedClusters;
    }

    /** Fills a native segment as long as the extent. */
    void read(Extent extent, MemorySegment destination) throws IOException {
        switch (extent) {
            case Extent.Zero zero -> destination.fill((byte) 0);
            case Extent.Data data -> readData(data.storage(), data.hostOffset(), destination);
            case Extent.Compressed compressed -> compressedClusters.read(compressed, destination);
        }
    }

    static void readData(Storage storage, long hostOffset, MemorySegment destination) throws IOException {
        long read = storage.read(hostOffset, destination);
        if (read < destination.byteSize()) {
            // The file ends within its last cluster: the rest of it was never written.
            destination.asSlice(read).fill((byte) 0);
        }
    }
}
