package dev.cowherd.image;

import dev.cowherd.metadata.ChainLookup;
import dev.cowherd.metadata.LayerHandles;
import dev.cowherd.metadata.Region;
import dev.cowherd.storage.HostRange;
import dev.cowherd.storage.Storage;
import java.io.IOException;
import java.util.List;
import java.util.Objects;

/**
 * Answers a queue's questions about allocation, in the terms of {@code qemu-img map}: what the map says, refined by what the host says
 * of holes where QEMU looks for them too, with equal neighbours joined.
 */
final class StatusReader {
    private final List<Layer> layers;
    private final List<LayerHandles> handles;
    private final ChainLookup lookup;

    StatusReader(List<Layer> layers, List<LayerHandles> handles, ChainLookup lookup) {
        this.layers = layers;
        this.handles = handles;
        this.lookup = lookup;
    }

    /** The status of the run that starts at an offset, as long as it stays the same, at most {@code length} bytes. */
    BlockStatus status(long offset, long length) throws IOException {
        BlockStatus run = piece(offset, length);
        while (run.length() < length) {
            BlockStatus next = piece(offset + run.length(), length - run.length());
            if (!continues(run, next)) {
                break;
            }
            run = withLength(run, run.length() + next.length());
        }
        return run;
    }

    private BlockStatus piece(long offset, long length) throws IOException {
        Region region = lookup.region(offset, length);
        Layer layer = layers.get(region.depth());
        return switch (region.kind()) {
            case UNALLOCATED -> plain(offset, region, false, true, false, false);
            case UNALLOCATED_PLACED -> placed(offset, region, region.length(), false, true, false);
            case ZERO -> plain(offset, region, true, true, false, false);
            case COMPRESSED -> plain(offset, region, true, false, true, true);
            case ZERO_ALLOCATED -> placed(offset, region, region.length(), true, true, false);
            case DATA ->
                layer.format() == ImageFormat.RAW ? rawPiece(offset, region) : dataPiece(offset, region, layer);
        };
    }

    /** A raw file's holes are zeros that no layer below can change. */
    private BlockStatus rawPiece(long offset, Region region) throws IOException {
        Storage file = handles.get(region.depth()).file();
        long left = file.sizeBytes() - offset;
        if (left <= 0) {
            return placed(offset, region, region.length(), true, true, false);
        }
        HostRange range = file.rangeAt(offset);
        return placed(offset, region, Math.min(region.length(), range.length()), true, !range.data(), range.data());
    }

    /** Clusters of an image that was made with preallocated metadata are worth asking the host about: most are holes. */
    private BlockStatus dataPiece(long offset, Region region, Layer layer) throws IOException {
        LayerHandles files = handles.get(region.depth());
        if (!layer.hasPreallocatedMetadata(files.file())) {
            return placed(offset, region, region.length(), true, false, true);
        }
        Storage file = files.guestData();
        long left = file.sizeBytes() - region.hostOffset();
        if (left <= 0) {
            return placed(offset, region, region.length(), true, true, true);
        }
        HostRange range = file.rangeAt(region.hostOffset());
        boolean holeToTheEnd = !range.data() && range.length() == left;
        long length = holeToTheEnd ? region.length() : Math.min(region.length(), range.length());
        return placed(offset, region, length, true, !range.data(), true);
    }

    private BlockStatus placed(long offset, Region region, long length, boolean present, boolean zero, boolean data) {
        Layer layer = layers.get(region.depth());
        Storage dataFile = layer.dataStorage();
        String name = dataFile == null ? layer.fileName() : dataFile.name();
        return new BlockStatus(offset, length, region.depth(), present, zero, data, false, region.hostOffset(), name);
    }

    private static BlockStatus plain(
            long offset, Region region, boolean present, boolean zero, boolean data, boolean compressed) {
        return new BlockStatus(offset, region.length(), region.depth(), present, zero, data, compressed, -1, null);
    }

    private static boolean continues(BlockStatus run, BlockStatus next) {
        boolean sameKind = run.depth() == next.depth()
                && run.present() == next.present()
                && run.zero() == next.zero()
                && run.data() == next.data()
                && run.compressed() == next.compressed();
        boolean samePlace = run.hostOffset() < 0
                ? next.hostOffset() < 0
                : run.hostOffset() + run.length() == next.hostOffset()
                        && Objects.equals(run.fileName(), next.fileName());
        return sameKind && samePlace;
    }

    private static BlockStatus withLength(BlockStatus run, long length) {
        return new BlockStatus(
                run.offset(),
                length,
                run.depth(),
                run.present(),
                run.zero(),
                run.data(),
                run.compressed(),
                run.hostOffset(),
                run.fileName());
    }
}
