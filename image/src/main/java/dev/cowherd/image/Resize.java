package dev.cowherd.image;

import dev.cowherd.format.Header;
import dev.cowherd.metadata.LayerHandles;
import dev.cowherd.metadata.RawMap;
import dev.cowherd.metadata.SizeChange;
import dev.cowherd.metadata.WritableImage;
import dev.cowherd.storage.Storage;
import java.io.IOException;
import java.lang.foreign.Arena;

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

    /** Gives the bytes that the disk has now. */
    long to(long newBytes, Preallocation preallocation) throws IOException {
        long oldBytes = disk.sizeBytes();
        WritableImage image = top.writable();
        if (newBytes < 0 || (image != null && newBytes % SECTOR_BYTES != 0)) {
            throw new IllegalArgumentException(
                    "a disk of " + newBytes + " bytes: the size must be a multiple of " + SECTOR_BYTES);
        }
        if (preallocation != Preallocation.OFF && newBytes <= oldBytes) {
            throw new IllegalArgumentException("space for what a disk grows by, but from " + oldBytes + " to "
                    + newBytes + " bytes it does not grow");
        }
        if (image == null) {
            raw(oldBytes, newBytes, preallocation);
            return newBytes;
        }
        refuse(image, newBytes);
        if (newBytes > oldBytes) {
            grow(image, oldBytes, newBytes, preallocation);
        } else if (newBytes < oldBytes) {
            shrink(image, oldBytes, newBytes);
        }
        return newBytes;
    }

    private void raw(long oldBytes, long newBytes, Preallocation preallocation) throws IOException {
        Storage file = top.storage();
        file.truncate(newBytes);
        if (newBytes > oldBytes) {
            try {
                if (preallocation != Preallocation.OFF) {
                    new NewSpace(preallocation).provide(file, oldBytes, newBytes - oldBytes);
                }
                syncRaw(file);
            } catch (IOException | RuntimeException e) {
                restore(e, () -> file.truncate(oldBytes));
                throw e;
            }
        } else {
            syncRaw(file);
        }
        ((RawMap) top.map()).resized(newBytes);
    }

    /** As for a guest's flush: writes from before may be lost with it, so no later flush may say that all is well. */
    private void syncRaw(Storage file) throws IOException {
        try {
            file.sync();
        } catch (IOException e) {
            disk.rawStopped().compareAndSet(null, e);
            throw e;
        }
    }

    private interface Undo {
        void run() throws IOException;
    }

    private static void restore(Exception failure, Undo undo) {
        try {
            undo.run();
        } catch (IOException | RuntimeException e) {
            failure.addSuppressed(e);
        }
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

    private void grow(WritableImage image, long oldBytes, long newBytes, Preallocation preallocation)
            throws IOException {
        SizeChange change = new SizeChange(image, handles);
        NewSpace space = new NewSpace(preallocation);
        change.reachSize(newBytes);
        Storage data = top.dataStorage();
        long had = data == null ? newBytes : data.sizeBytes();
        change.pretendSize(newBytes);
        try (DiskQueue queue = DiskQueue.open(disk)) {
            try {
                if (data != null) {
                    reachData(image, data, had, oldBytes, newBytes);
                }
                queue.writeZeroes(oldBytes, newBytes - oldBytes, ZeroMode.MAY_UNMAP);
                if (preallocation != Preallocation.OFF) {
                    map(image, change, queue, oldBytes, newBytes, space);
                } else if (image.header().dataFileRaw()) {
                    // The guest's disk for others too: a first write would reach the file before its entry is durable,
                    // so a
                    // power cut could leave bytes there that the guest does not read. The bytes are zeros already.
                    change.mapRange(oldBytes, newBytes, (file, offset, length) -> {});
                }
                change.settle();
            } catch (IOException | RuntimeException e) {
                // The host may be full: its space first, or there is none for the tables that say what is free.
                restore(e, space::giveBack);
                restore(e, () -> queue.discard(oldBytes, newBytes - oldBytes));
                restore(e, change::settle);
                if (data != null && had < newBytes) {
                    restore(e, () -> data.truncate(had));
                }
                throw e;
            }
            change.setSize(newBytes);
        } catch (IOException | RuntimeException e) {
            change.pretendSize(oldBytes);
            throw e;
        }
    }

    /** Gives what the disk grows by its entries, and the host's space. */
    private static void map(
            WritableImage image, SizeChange change, DiskQueue queue, long oldBytes, long newBytes, NewSpace space)
            throws IOException {
        long from = Math.min(newBytes, (oldBytes + clusterBytes(image) - 1) & -clusterBytes(image));
        if (from > oldBytes) {
            // The rest of the last cluster, which holds bytes of the disk as it was.
            try (Arena arena = Arena.ofConfined()) {
                queue.write(oldBytes, arena.allocate(from - oldBytes, 4096));
            }
        }
        change.mapRange(from, newBytes, space);
    }

    private static long clusterBytes(WritableImage image) {
        return image.header().geometry().clusterBytes();
    }

    /**
     * A data file may have more than the disk had, such as a block device. To whoever reads a raw data file, and to the guest once the
     * clusters have entries, its bytes have to be zeros.
     */
    private static void reachData(WritableImage image, Storage data, long had, long oldBytes, long newBytes)
            throws IOException {
        if (had < newBytes) {
            data.truncate(newBytes);
        }
        if (had > oldBytes && image.header().dataFileRaw()) {
            data.zero(oldBytes, Math.min(had, newBytes) - oldBytes);
        }
    }

    private void shrink(WritableImage image, long oldBytes, long newBytes) throws IOException {
        SizeChange change = new SizeChange(image, handles);
        long wholeFrom = Math.addExact(newBytes, clusterBytes(image) - 1) & -clusterBytes(image);
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
