package dev.cowherd.image;

import dev.cowherd.format.Header;
import dev.cowherd.format.Snapshot;
import dev.cowherd.metadata.LayerHandles;
import dev.cowherd.metadata.LayerMap;
import dev.cowherd.metadata.WritableImage;
import dev.cowherd.storage.Storage;
import java.io.IOException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One image of a disk's backing chain. Thread-safe; its storages are good until the disk is closed.
 */
public final class Layer {
    private final String fileName;
    private final ImageFormat format;
    private final @Nullable Header header;
    private volatile List<Snapshot> snapshots;
    private final Storage storage;
    private final @Nullable Storage dataStorage;
    private final LayerMap map;
    private final @Nullable WritableImage writable;
    private volatile @Nullable Boolean preallocatedMetadata;

    Layer(
            String fileName,
            ImageFormat format,
            @Nullable Header header,
            List<Snapshot> snapshots,
            Storage storage,
            @Nullable Storage dataStorage,
            LayerMap map,
            @Nullable WritableImage writable) {
        this.fileName = fileName;
        this.format = format;
        this.header = header;
        this.snapshots = List.copyOf(snapshots);
        this.storage = storage;
        this.dataStorage = dataStorage;
        this.map = map;
        this.writable = writable;
    }

    /**
     * The file, for messages and JSON.
     *
     * @return the top layer's name as the caller gave it; a backing file's as its overlay's folder and its own name make it
     */
    public String fileName() {
        return fileName;
    }

    /**
     * The format the file was opened as.
     *
     * @return the format
     */
    public ImageFormat format() {
        return format;
    }

    /**
     * The header; of a layer that is being written, as it is on disk now.
     *
     * @return the decoded header, or null if the layer is raw
     */
    public @Nullable Header header() {
        return writable == null ? header : writable.header();
    }

    /**
     * The size of the disk this layer holds. For the top layer opened by a snapshot: the snapshot's.
     *
     * @return guest bytes
     */
    public long sizeBytes() {
        return map.sizeBytes();
    }

    /**
     * The internal snapshots.
     *
     * @return in the order of the image's table; empty if it has none or is raw
     */
    public List<Snapshot> snapshots() {
        return snapshots;
    }

    /**
     * The image file; for tools that look into it. Not to be closed.
     *
     * @return the disk's own handle
     */
    public Storage storage() {
        return storage;
    }

    /**
     * The external data file. Not to be closed.
     *
     * @return the disk's own handle, or null if the image has no external data file
     */
    public @Nullable Storage dataStorage() {
        return dataStorage;
    }

    /** Whether asking the host about holes in data clusters is worth it; found out once, with the asking queue's handle. */
    boolean hasPreallocatedMetadata(Storage file) throws IOException {
        Boolean known = preallocatedMetadata;
        if (known == null) {
            known = header != null && new PreallocationProbe(file, header).looksPreallocated();
            preallocatedMetadata = known;
        }
        return known;
    }

    void snapshotsAre(List<Snapshot> now) {
        snapshots = List.copyOf(now);
    }

    /** The write half of the map, or null if the layer is read-only or raw. */
    @Nullable
    WritableImage writable() {
        return writable;
    }

    LayerMap map() {
        return map;
    }

    void close() throws IOException {
        try (storage) {
            if (writable != null) {
                writable.releaseSpace(new LayerHandles(storage, dataStorage));
            }
            if (dataStorage != null) {
                dataStorage.close();
            }
        }
    }
}
