package dev.cowherd.metadata;

import dev.cowherd.format.Snapshot;
import java.io.IOException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Creates, applies and deletes internal snapshots (specification: Snapshots) of an image that is in use: settles it, has its tables changed,
 * and brings memory in line with them. No request is in flight, and nothing else changes meanwhile; each change is all or nothing, at every
 * cut. Used by one thread, once.
 */
public final class InternalSnapshots {
    private final WritableImage image;
    private final LayerHandles handles;
    private final @Nullable Bitmaps bitmaps;

    /**
     * Nothing is changed yet.
     *
     * @param image the image
     * @param handles handles on it
     */
    public InternalSnapshots(WritableImage image, LayerHandles handles) {
        this.image = image;
        this.handles = handles;
        this.bitmaps = image.bitmaps();
    }

    /**
     * Creates a snapshot of the disk as it is.
     *
     * @param snapshots the image's snapshots
     * @param added the new one, without an L1 table
     * @return the snapshots now
     * @throws IOException if the host fails, or a refcount would not fit its width
     */
    public List<Snapshot> create(List<Snapshot> snapshots, Snapshot added) throws IOException {
        image.prepareStructure(handles);
        List<Snapshot> now =
                image.corruption.ask(handles, () -> new SnapshotChange(image, handles).create(snapshots, added));
        image.reload(now, handles);
        return now;
    }

    /**
     * Makes the disk what a snapshot holds. To bitmaps all of the disk is dirty then.
     *
     * @param snapshots the image's snapshots
     * @param wanted one of them
     * @throws IOException as for {@link #create}
     */
    public void apply(List<Snapshot> snapshots, Snapshot wanted) throws IOException {
        image.prepareStructure(handles);
        if (bitmaps != null) {
            boolean sameSize =
                    wanted.diskBytes(image.header()) == image.header().sizeBytes();
            bitmaps.prepare(sameSize, handles.file());
        }
        image.corruption.guard(handles, () -> new SnapshotChange(image, handles).apply(snapshots, wanted));
        if (bitmaps != null) {
            bitmaps.resize(image.header().guestBytes());
            bitmaps.allChanged();
        }
        image.reload(snapshots, handles);
    }

    /**
     * Deletes a snapshot.
     *
     * @param snapshots the image's snapshots
     * @param unwanted one of them
     * @return the snapshots now
     * @throws IOException as for {@link #create}
     */
    public List<Snapshot> delete(List<Snapshot> snapshots, Snapshot unwanted) throws IOException {
        image.prepareStructure(handles);
        List<Snapshot> now =
                image.corruption.ask(handles, () -> new SnapshotChange(image, handles).delete(snapshots, unwanted));
        image.reload(now, handles);
        return now;
    }
}
