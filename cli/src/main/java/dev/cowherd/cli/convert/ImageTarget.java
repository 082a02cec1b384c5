package dev.cowherd.cli.convert;

import dev.cowherd.format.Header;
import dev.cowherd.image.CreateOptions;
import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.DiskQueue;
import dev.cowherd.image.ImageCreator;
import dev.cowherd.image.ImageFormat;
import dev.cowherd.image.ZeroMode;
import dev.cowherd.storage.FileOptions;
import dev.cowherd.storage.FileStorage;
import dev.cowherd.storage.Storage;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A QCOW2 image that a conversion fills through queues, one a thread. What becomes of it when the conversion fails is as for
 * {@link RawTarget}; an image that was written into as it was is consistent in any case.
 */
public final class ImageTarget implements ConvertTarget {
    private enum Kind {
        /** Was not there before. */
        CREATED,
        /** Was there, and was replaced. */
        REPLACED,
        /** Is written into as it is. */
        KEPT
    }

    private final Path path;
    private final Disk disk;
    private final Kind kind;
    private final boolean readsAsZeros;
    private final boolean backed;

    private ImageTarget(Path path, Disk disk, Kind kind, boolean readsAsZeros, boolean backed) {
        this.path = path;
        this.disk = disk;
        this.kind = kind;
        this.readsAsZeros = readsAsZeros;
        this.backed = backed;
    }

    /**
     * Makes an image, in place of a file that may be there.
     *
     * @param path where
     * @param create what it is to be
     * @param open how to open it for writing; it must allow the backing file
     * @return the target
     * @throws IllegalArgumentException if there can be no such image
     * @throws IOException if the host refuses, or another process uses the file
     */
    public static ImageTarget create(Path path, CreateOptions create, DiskOptions open) throws IOException {
        Kind kind = Files.exists(path) ? Kind.REPLACED : Kind.CREATED;
        ImageCreator.create(path, create);
        boolean backed = create.backingFile() != null;
        try {
            return new ImageTarget(path, open(path, open), kind, !backed, backed);
        } catch (IOException | RuntimeException e) {
            try {
                remove(path, kind);
            } catch (IOException second) {
                e.addSuppressed(second);
            }
            throw e;
        }
    }

    /**
     * Opens an image to be written into as it is.
     *
     * @param path where
     * @param open how to open it for writing
     * @param sizeBytes how many bytes are going to be written from its start
     * @param readsAsZeros the caller's word that it reads as zeros already
     * @param backed the caller's word that its backing file holds what the source's holds
     * @return the target
     * @throws IOException if the host refuses, another process uses it, or it is too small
     */
    public static ImageTarget existing(
            Path path, DiskOptions open, long sizeBytes, boolean readsAsZeros, boolean backed) throws IOException {
        Disk disk = open(path, open);
        if (disk.sizeBytes() < sizeBytes) {
            disk.close();
            throw new TargetTooSmallException();
        }
        return new ImageTarget(path, disk, Kind.KEPT, readsAsZeros && !backed, backed);
    }

    private static Disk open(Path path, DiskOptions options) throws IOException {
        return Disk.open(path, options.withFormat(ImageFormat.QCOW2).withWritable(true));
    }

    @Override
    public boolean readsAsZeros() {
        return readsAsZeros;
    }

    @Override
    public long belowBytes() {
        if (!backed) {
            return 0;
        }
        // Without a backing file at hand nothing is known of where it ends.
        return disk.layers().size() > 1 ? disk.layers().get(1).sizeBytes() : Long.MAX_VALUE;
    }

    @Override
    public int pieceBytes() {
        Header header = disk.layers().getFirst().header();
        return header == null ? 1 : header.geometry().clusterBytes();
    }

    @Override
    public Handle openHandle() throws IOException {
        DiskQueue queue = disk.openQueue();
        return new Handle() {
            @Override
            public void write(long offset, MemorySegment from) throws IOException {
                queue.write(offset, from);
            }

            @Override
            public boolean zero(long offset, long length) throws IOException {
                queue.writeZeroes(offset, length, ZeroMode.MAY_UNMAP);
                return true;
            }

            @Override
            public void close() throws IOException {
                queue.close();
            }
        };
    }

    @Override
    public void finish() throws IOException {
        try (DiskQueue queue = disk.openQueue()) {
            queue.flush();
        }
    }

    @Override
    public String discard() throws IOException {
        if (kind == Kind.KEPT) {
            return path + " holds only a part of the image";
        }
        try {
            disk.close();
        } finally { // Whatever could not be written any more was to be removed.
            remove(path, kind);
        }
        return path + (kind == Kind.CREATED ? " removed" : " left empty");
    }

    private static void remove(Path path, Kind kind) throws IOException {
        if (kind == Kind.CREATED) {
            Files.deleteIfExists(path);
        } else {
            try (Storage file = FileStorage.open(path, FileOptions.writing())) {
                file.truncate(0);
            }
        }
    }

    @Override
    public void close() throws IOException {
        disk.close();
    }
}
