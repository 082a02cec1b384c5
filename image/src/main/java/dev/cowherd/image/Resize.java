package dev.cowherd.image;

import dev.cowherd.format.Header;
import dev.cowherd.metadata.LayerHandles;
import dev.cowherd.metadata.RawMap;
import dev.cowherd.metadata.SizeChange;
import dev.cowherd.metadata.WritableImage;
import dev.cowherd.storage.Storage;
import java.io.IOException;

/**
 * Gives a disk another size while no request is in flight. What a disk grows by reads as zeros, whatever lies below or was there before
 * an earlier shrink; the header names the new size only once that is so.
 */
final class Resize {
    private static final int SECTOR_BYTES = 512;

    private final Disk disk;
    private final Layer top;
    private final LayerHandles handles;

    Resize(Disk disk) {
        this.disk = disk;
        this.top = disk.layers().get(0);
        this.handles = new LayerHandles(top.storage(), top.dataStorage());
    }

    void to(long newBytes) throws IOException {
        if (newBytes < 0 || newBytes % SECTOR_BYTES != 0) {
            throw new IllegalArgumentException(
                    "a disk of " + newBytes + " bytes: the size must be a multiple of " + SECTOR_BYTES);
        }
        long oldBytes = disk.sizeBytes();
        WritableImage image = top.writable();
        if (image == null) {
            raw(newBytes);
            return;
        }
        refuse(image, newBytes);
        if (newBytes > oldBytes) {
            grow(image, oldBytes, newBytes);
        } else if (newBytes < oldBytes) {
            shrink(image, oldBytes, newBytes);
        }
    }

    private void raw(long newBytes) throws IOException {
        top.storage().truncate(newBytes);
        top.storage().sync();
        ((RawMap) top.map()).resized(newBytes);
    }

    private void refuse(WritableImage image, long newBytes) throws ChainException {
        Header header = image.header();
        if (header.version() < 3 && header.snapshotCount() > 0) {
            throw new ChainException(
                    top.fileName(),
                    "an image of version 2 with internal snapshots cannot be resized: a snapshot there"
                            + " does not know its size");
        }
        String why = image.whyBitmapsForbid(newBytes);
        if (why != null) {
            throw new ChainException(top.fileName(), why);
        }
    }

    private void grow(WritableImage image, long oldBytes, long newBytes) throws IOException {
        SizeChange change = new SizeChange(image, handles);
        change.reachSize(newBytes);
        if (top.dataStorage() != null) {
            reachData(image, top.dataStorage(), oldBytes, newBytes);
        }
        change.pretendSize(newBytes);
        try (DiskQueue queue = DiskQueue.open(disk)) {
            queue.writeZeroes(oldBytes, newBytes - oldBytes, ZeroMode.MAY_UNMAP);
            if (image.header().dataFileRaw()) {
                change.mapRange(oldBytes, newBytes);
            }
            change.setSize(newBytes);
        } catch (IOException | RuntimeException e) {
            change.pretendSize(oldBytes);
            throw e;
        }
    }

    /**
     * A data file may have more than the disk had, such as a block device. To whoever reads a raw data file, and to the guest once the
     * clusters have entries, its bytes have to be zeros.
     */
    private void reachData(WritableImage image, Storage data, long oldBytes, long newBytes) throws IOException {
        long had = data.sizeBytes();
        if (had < newBytes) {
            data.truncate(newBytes);
        }
        if (had > oldBytes && image.header().dataFileRaw()) {
            data.zero(oldBytes, Math.min(had, newBytes) - oldBytes);
        }
    }

    private void shrink(WritableImage image, long oldBytes, long newBytes) throws IOException {
        SizeChange change = new SizeChange(image, handles);
        long clusterBytes = image.header().geometry().clusterBytes();
        long wholeFrom = Math.addExact(newBytes, clusterBytes - 1) & -clusterBytes;
        change.beginShrink(newBytes);
        try {
            if (wholeFrom < oldBytes) {
                try (DiskQueue queue = DiskQueue.open(disk)) {
                    queue.discard(wholeFrom, oldBytes - wholeFrom);
                }
            }
            change.setSize(newBytes);
        } catch (IOException | RuntimeException e) {
            change.shrinkFailed(newBytes);
            throw e;
        }
        change.dropTablesPast(newBytes);
        if (top.dataStorage() != null) {
            top.dataStorage().truncate(newBytes);
        }
    }
}
