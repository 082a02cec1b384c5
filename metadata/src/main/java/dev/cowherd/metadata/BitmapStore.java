package dev.cowherd.metadata;

import dev.cowherd.format.BitmapEntry;
import dev.cowherd.format.BitmapTableEntry;
import dev.cowherd.format.Geometry;
import dev.cowherd.metadata.Allocator.Taken;
import dev.cowherd.metadata.MetadataPlaces.Kind;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Writes bitmaps to clusters of their own, which nothing refers to until the header names the directory. Used by one thread, once.
 */
final class BitmapStore {
    private final WritableImage image;
    private final LayerHandles handles;
    private final Geometry geometry;
    private final List<Taken> taken = new ArrayList<>();

    BitmapStore(WritableImage image, LayerHandles handles) {
        this.image = image;
        this.handles = handles;
        this.geometry = image.header().geometry();
    }

    /** A bitmap on the host: its table, and all clusters it has. */
    record Table(long offset, long entries, List<Taken> clusters) {}

    /** Writes a bitmap; clusters whose bits are all the same need no place. */
    Table write(DirtyBits bits, TableIo io) throws IOException {
        int from = taken.size();
        int clusterBits = geometry.clusterBits();
        long entries = BitmapEntry.tableEntriesFor(image.header().guestBytes(), bits.granularityBits(), clusterBits);
        long clusters = geometry.clustersFor(entries * BitmapTableEntry.BYTES);
        // Whole clusters: what was there before is nobody's to see.
        long[] words = new long[Math.toIntExact((clusters << clusterBits) / BitmapTableEntry.BYTES)];
        byte[] content = new byte[geometry.clusterBytes()];
        for (int i = 0; i < entries; i++) {
            words[i] = switch (bits.store(i, content)) {
                case ZEROS -> 0;
                case ONES -> BitmapTableEntry.ALL_ONES;
                case MIXED -> {
                    long offset = take(1, null).cluster() << clusterBits;
                    io.writeBytes(offset, content, null);
                    yield offset;
                }
            };
        }
        long offset = take(clusters, null).cluster() << clusterBits;
        io.writeTable(offset, words, null);
        return new Table(offset, entries, List.copyOf(taken.subList(from, taken.size())));
    }

    /** Writes the directory. */
    Taken writeDirectory(ByteBuffer directory, TableIo io) throws IOException {
        Taken place = take(geometry.clustersFor(directory.remaining()), Kind.BITMAPS);
        writeDirectory(directory, place.cluster() << geometry.clusterBits(), io);
        return place;
    }

    /** Writes the directory where it is, or is to be. */
    static void writeDirectory(ByteBuffer directory, long offset, TableIo io) throws IOException {
        byte[] bytes = new byte[directory.remaining()];
        directory.get(bytes);
        io.writeBytes(offset, bytes, Kind.BITMAPS);
    }

    private Taken take(long clusters, @Nullable Kind kind) throws IOException {
        Allocator.TableGrowth growth = image.flush.tableGrowth(handles);
        Taken place = clusters == 1
                ? image.allocator.take(1, kind, handles.file(), growth)
                : new Taken(image.allocator.takeAtEnd(clusters, kind, handles.file(), growth), clusters);
        taken.add(place);
        return place;
    }

    /** The bitmaps are not going to be named: their clusters are free again. */
    void giveBack(Throwable cause) {
        for (Taken place : taken) {
            try {
                image.allocator.giveBack(place.cluster(), place.count(), handles.file());
            } catch (IOException e) {
                cause.addSuppressed(e);
            }
        }
    }
}
