package dev.cowherd.image;

import dev.cowherd.format.Header;
import dev.cowherd.format.Limits;
import dev.cowherd.format.Snapshot;
import dev.cowherd.metadata.InternalSnapshots;
import dev.cowherd.metadata.LayerHandles;
import dev.cowherd.metadata.WritableImage;
import java.io.IOException;
import java.time.Instant;
import java.util.List;

/** Creates, applies and deletes the top layer's internal snapshots while no request is in flight. */
final class SnapshotKeeper {
    private final Layer top;
    private final WritableImage image;
    private final LayerHandles handles;

    SnapshotKeeper(Layer top) throws IOException {
        this.top = top;
        WritableImage writable = top.writable();
        if (writable == null) {
            throw new ChainException(top.fileName(), "a raw image has no internal snapshots");
        }
        if (writable.header().hasExternalDataFile()) {
            throw new ChainException(top.fileName(), "an image with an external data file has no internal snapshots");
        }
        this.image = writable;
        this.handles = new LayerHandles(top.storage(), top.dataStorage());
    }

    Snapshot create(String name, Instant now) throws IOException {
        List<Snapshot> snapshots = top.snapshots();
        if (snapshots.size() >= Limits.MAX_SNAPSHOTS) {
            throw new ChainException(
                    top.fileName(), "it has " + snapshots.size() + " snapshots, the most there can be");
        }
        Header header = image.header();
        Snapshot added =
                Snapshot.ofDisk(freeId(snapshots), name, now.getEpochSecond(), now.getNano(), header.sizeBytes());
        top.snapshotsAre(new InternalSnapshots(image, handles).create(snapshots, added));
        return top.snapshots().getLast();
    }

    /** One more than the largest number that is an id. */
    private static String freeId(List<Snapshot> snapshots) {
        long largest = 0;
        for (Snapshot snapshot : snapshots) {
            if (snapshot.id().matches("[0-9]{1,18}")) {
                largest = Math.max(largest, Long.parseLong(snapshot.id()));
            }
        }
        return Long.toString(largest + 1);
    }

    /** Gives the snapshot that was applied. */
    Snapshot apply(String idOrName) throws IOException {
        Snapshot wanted = find(idOrName);
        long diskBytes = wanted.diskBytes(image.header());
        if (diskBytes != image.header().sizeBytes()) {
            String why = image.whyBitmapsForbid(diskBytes);
            if (why != null) {
                throw new ChainException(
                        top.fileName(), "its disk had another size in snapshot '" + idOrName + "': " + why);
            }
        }
        new InternalSnapshots(image, handles).apply(top.snapshots(), wanted);
        return wanted;
    }

    /** Gives the snapshot that is no more. */
    Snapshot delete(String idOrName) throws IOException {
        Snapshot gone = find(idOrName);
        top.snapshotsAre(new InternalSnapshots(image, handles).delete(top.snapshots(), gone));
        return gone;
    }

    private Snapshot find(String idOrName) throws ChainException {
        for (Snapshot snapshot : top.snapshots()) {
            if (snapshot.id().equals(idOrName)) {
                return snapshot;
            }
        }
        for (Snapshot snapshot : top.snapshots()) {
            if (snapshot.name().equals(idOrName)) {
                return snapshot;
            }
        }
        throw new ChainException(top.fileName(), "it has no snapshot with the id or name '" + idOrName + "'");
    }
}
