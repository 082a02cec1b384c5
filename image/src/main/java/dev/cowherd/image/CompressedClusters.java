package dev.cowherd.image;

import dev.cowherd.format.CorruptImageException;
import dev.cowherd.format.Header;
import dev.cowherd.metadata.Extent;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Reads compressed clusters for one queue, on its thread and with its own decoders, and keeps the last few decompressed: small
 * sequential reads decompress each cluster once. A read of a whole cluster is decompressed where it is wanted and not kept.
 *
 * <p>Memory: at most {@link #KEPT_BYTES} of kept clusters (or one cluster, if it is larger) and one compressed cluster of input, taken
 * at the first use.
 */
final class CompressedClusters {
    private static final int KEPT_CLUSTERS = 16;
    private static final int KEPT_BYTES = 2 << 20;
    private static final int ALIGNMENT = 4096;

    /** A decompressed cluster. What is compressed at one place of one file never changes while the disk is open. */
    private static final class Kept {
        final MemorySegment memory;
        int depth = -1;
        long hostOffset;
        long lastUse;

        Kept(MemorySegment memory) {
            this.memory = memory;
        }
    }

    private final List<Layer> layers;
    private final Arena arena;
    private final Decoder.Factory factory;
    private final @Nullable Decoder[] decoders;
    private final int largestCluster;
    private final @Nullable Kept[] kept;
    private MemorySegment input = MemorySegment.NULL;
    private long uses;

    CompressedClusters(List<Layer> layers, Arena arena, Decoder.Factory factory) {
        this.layers = layers;
        this.arena = arena;
        this.factory = factory;
        this.decoders = new Decoder[layers.size()];
        int largest = 1;
        for (Layer layer : layers) {
            Header header = layer.header();
            largest = Math.max(largest, header == null ? 1 : header.geometry().clusterBytes());
        }
        this.largestCluster = largest;
        this.kept = new Kept[Math.clamp(KEPT_BYTES / largest, 1, KEPT_CLUSTERS)];
    }

    /** Fills a native segment as long as the extent. */
    void read(Extent.Compressed extent, MemorySegment destination) throws IOException {
        int clusterBytes = header(extent.depth()).geometry().clusterBytes();
        Kept found = find(extent);
        if (found == null && extent.length() == clusterBytes) {
            decode(extent, destination);
            return;
        }
        if (found == null) {
            found = leastUsed();
            found.depth = -1;
            decode(extent, found.memory.asSlice(0, clusterBytes));
            found.depth = extent.depth();
            found.hostOffset = extent.hostOffset();
        }
        found.lastUse = ++uses;
        MemorySegment.copy(found.memory, extent.offsetInCluster(), destination, 0, extent.length());
    }

    void close() {
        for (Decoder decoder : decoders) {
            if (decoder != null) {
                decoder.close();
            }
        }
    }

    private @Nullable Kept find(Extent.Compressed extent) {
        for (Kept cluster : kept) {
            if (cluster != null && cluster.hostOffset == extent.hostOffset() && cluster.depth == extent.depth()) {
                return cluster;
            }
        }
        return null;
    }

    /** The place for the next cluster: a new one as long as there is room, then the one not used for longest. */
    private Kept leastUsed() {
        Kept least = null;
        for (int i = 0; i < kept.length; i++) {
            Kept cluster = kept[i];
            if (cluster == null) {
                cluster = new Kept(arena.allocate(largestCluster, ALIGNMENT));
                kept[i] = cluster;
                return cluster;
            }
            if (least == null || cluster.lastUse < least.lastUse) {
                least = cluster;
            }
        }
        if (least == null) {
            throw new IllegalStateException("no room for a decompressed cluster");
        }
        return least;
    }

    private void decode(Extent.Compressed extent, MemorySegment cluster) throws IOException {
        if (input.byteSize() < extent.compressedBytes()) {
            // The length field can claim two clusters at most.
            input = arena.allocate(2L * largestCluster, ALIGNMENT);
        }
        MemorySegment compressed = input.asSlice(0, extent.compressedBytes());
        long read = extent.storage().read(extent.hostOffset(), compressed);
        try {
            decoder(extent.depth()).decode(compressed.asSlice(0, read), cluster);
        } catch (CorruptImageException e) {
            CorruptImageException placed = new CorruptImageException(e.structure(), extent.hostOffset(), e.reason());
            placed.initCause(e);
            throw placed.withPath(layers.get(extent.depth()).fileName());
        }
    }

    private Decoder decoder(int depth) {
        Decoder decoder = decoders[depth];
        if (decoder == null) {
            decoder = factory.decoderFor(header(depth).compressionType());
            decoders[depth] = decoder;
        }
        return decoder;
    }

    private Header header(int depth) {
        Header header = layers.get(depth).header();
        if (header == null) {
            throw new IllegalStateException("a compressed cluster in layer " + depth + ", which is raw");
        }
        return header;
    }
}
