package dev.cowherd.image;

import dev.cowherd.format.CorruptImageException;
import dev.cowherd.format.Header;
import dev.cowherd.metadata.Extent;
import dev.cowherd.metadata.Signal;
import dev.cowherd.metadata.Waits;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Reads compressed clusters for one queue, on its thread or on spare cores, with its own decoders, and keeps the last few decompressed: small reads of
 * one cluster, one after the other or all in flight, decompress it once. A read of a whole cluster is decompressed where it is wanted and not
 * kept.
 *
 * <p>The requests that a queue has in flight share it. They run on fibers of one thread, so nothing here is locked: a request can meet what
 * another one has half done only where that one waits, for the host or a spare core.
 *
 * <p>Memory, taken as it is needed: input for at most as many clusters as are read at once, {@link #INPUT_BYTES} in all, and for each of
 * these a decompressed cluster; more of them, up to {@link #KEPT_CLUSTERS}, where {@link #KEPT_BYTES} are enough.
 */
final class CompressedClusters {
    private static final int KEPT_CLUSTERS = 16;
    private static final int KEPT_BYTES = 2 << 20;
    private static final int INPUT_BYTES = 16 << 20;
    private static final int ALIGNMENT = 4096;

    /** What it takes to read one compressed cluster. */
    private static final class Place {
        final MemorySegment input;
        final @Nullable Decoder[] decoders;

        Place(MemorySegment input, int layers) {
            this.input = input;
            this.decoders = new Decoder[layers];
        }
    }

    private final List<Layer> layers;
    private final Arena arena;
    private final Decoder.Factory factory;
    private final Waits waits;
    private final SpareCores cores;
    private final int inputBytes;
    private final int mostPlaces;
    private final KeptClusters kept;
    private final ArrayDeque<Place> idle = new ArrayDeque<>();
    private int places;
    /** Fired when a place is free again; null as long as nobody waits for that. */
    private @Nullable Signal room;

    /** For a queue with so many requests in flight at most. */
    CompressedClusters(List<Layer> layers, Arena arena, Decoder.Factory factory, Waits waits, int requests) {
        this.layers = layers;
        this.arena = arena;
        this.factory = factory;
        this.cores = factory.spareCores();
        this.waits = waits;
        int largest = 1;
        for (Layer layer : layers) {
            Header header = layer.header();
            largest = Math.max(largest, header == null ? 1 : header.geometry().clusterBytes());
        }
        // The length field can claim two clusters at most.
        this.inputBytes = 2 * largest;
        this.mostPlaces = Math.min(requests, INPUT_BYTES / inputBytes);
        int count = Math.max(mostPlaces, Math.min(KEPT_CLUSTERS, KEPT_BYTES / largest));
        this.kept = new KeptClusters(arena, largest, count);
    }

    /** Fills a native segment as long as the extent. */
    void read(Extent.Compressed extent, MemorySegment destination) throws IOException {
        while (true) {
            KeptClusters.Kept found = kept.find(extent);
            Signal before = found == null ? null : found.filling();
            if (found != null && before == null) {
                copy(found, extent, destination);
                return;
            }
            if (before == null) {
                Place place = place();
                if (place != null) {
                    readAt(place, extent, destination);
                    return;
                }
                before = room();
            }
            // Nothing is held meanwhile. What was waited for may be gone again: then it is this request's to read.
            waits.await(before);
        }
    }

    private void readAt(Place place, Extent.Compressed extent, MemorySegment destination) throws IOException {
        int clusterBytes = header(extent.depth()).geometry().clusterBytes();
        try {
            if (extent.length() == clusterBytes) {
                decode(place, extent, destination);
                return;
            }
            KeptClusters.Kept room = kept.fill(extent);
            boolean whole = false;
            try {
                decode(place, extent, room.memory().asSlice(0, clusterBytes));
                whole = true;
            } finally {
                kept.filled(room, whole);
            }
            copy(room, extent, destination);
        } finally {
            giveBack(place);
        }
    }

    private static void copy(KeptClusters.Kept cluster, Extent.Compressed extent, MemorySegment destination) {
        MemorySegment.copy(cluster.memory(), extent.offsetInCluster(), destination, 0, extent.length());
    }

    private @Nullable Place place() {
        Place place = idle.poll();
        if (place == null && places < mostPlaces) {
            place = new Place(arena.allocate(inputBytes, ALIGNMENT), layers.size());
            places++;
        }
        return place;
    }

    private Signal room() {
        Signal signal = room;
        if (signal == null) {
            signal = new Signal();
            room = signal;
        }
        return signal;
    }

    private void giveBack(Place place) {
        idle.push(place);
        Signal signal = room;
        if (signal != null) {
            // All of them: the first may find its cluster done by another request, and not need the place.
            room = null;
            signal.fire();
        }
    }

    void close() {
        for (Place place : idle) {
            for (Decoder decoder : place.decoders) {
                if (decoder != null) {
                    decoder.close();
                }
            }
        }
    }

    private void decode(Place place, Extent.Compressed extent, MemorySegment cluster) throws IOException {
        MemorySegment compressed = place.input.asSlice(0, extent.compressedBytes());
        long read = extent.storage().read(extent.hostOffset(), compressed);
        try {
            Decoding.decode(decoder(place, extent.depth()), compressed.asSlice(0, read), cluster, cores, waits);
        } catch (CorruptImageException e) {
            CorruptImageException placed = new CorruptImageException(e.structure(), extent.hostOffset(), e.reason());
            placed.initCause(e);
            throw placed.withPath(layers.get(extent.depth()).fileName());
        }
    }

    private Decoder decoder(Place place, int depth) {
        Decoder decoder = place.decoders[depth];
        if (decoder == null) {
            decoder = factory.decoderFor(header(depth).compressionType());
            place.decoders[depth] = decoder;
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
