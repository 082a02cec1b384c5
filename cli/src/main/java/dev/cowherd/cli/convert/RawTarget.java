package dev.cowherd.cli.convert;

import dev.cowherd.cli.disk.SectorDisk;
import dev.cowherd.storage.CacheMode;
import dev.cowherd.storage.FileOptions;
import dev.cowherd.storage.FileStorage;
import dev.cowherd.storage.LockMode;
import dev.cowherd.storage.Storage;
import dev.cowherd.storage.StorageException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A raw file or device that a conversion fills, locked against other writers until it is closed.
 *
 * <p>A failed conversion leaves nothing behind that looks like a good image: a file that was not there before is removed, a
 * file that was replaced is left empty. Only a target that was to be written into as it is (a device, or {@code -n}) keeps what
 * was written so far.
 */
public final class RawTarget implements ConvertTarget {
    private static final int EOPNOTSUPP = 95;

    private enum Kind {
        /** Was not there before. */
        CREATED,
        /** Was there, and was emptied. */
        REPLACED,
        /** Is written into as it is. */
        KEPT
    }

    private final Path path;
    private final Storage storage;
    private final Kind kind;
    private final long sizeBytes;
    private final boolean durable;
    private volatile boolean readsAsZeros;
    private volatile boolean punches = true;

    private RawTarget(Path path, Storage storage, Kind kind, long sizeBytes, boolean durable) {
        this.path = path;
        this.storage = storage;
        this.kind = kind;
        this.sizeBytes = sizeBytes;
        this.durable = durable;
        this.readsAsZeros = kind != Kind.KEPT;
    }

    /**
     * Makes a file of the given size that reads as zeros, in place of one that may be there. A device is taken as it is.
     *
     * @param path where
     * @param sizeBytes the size in bytes
     * @param cacheMode how to write
     * @return the target
     * @throws IOException if the host refuses, or another process uses the file
     */
    public static RawTarget create(Path path, long sizeBytes, CacheMode cacheMode) throws IOException {
        boolean exists = Files.exists(path);
        if (exists && !Files.isRegularFile(path) && !Files.isDirectory(path)) {
            return existing(path, sizeBytes, cacheMode, false);
        }
        // The lock comes before the cut: a file that another process uses is not touched.
        Storage storage = FileStorage.open(path, new FileOptions(true, !exists, cacheMode, LockMode.WRITE));
        RawTarget target =
                new RawTarget(path, storage, exists ? Kind.REPLACED : Kind.CREATED, sizeBytes, syncs(cacheMode));
        try {
            storage.truncate(0);
            storage.truncate(sizeBytes);
        } catch (IOException | RuntimeException e) {
            try (target) {
                target.discard();
            } catch (IOException second) {
                e.addSuppressed(second);
            }
            throw e;
        }
        return target;
    }

    /**
     * Opens a file or device to be written into as it is.
     *
     * @param path where
     * @param sizeBytes how many bytes are going to be written from its start
     * @param cacheMode how to write
     * @param readsAsZeros the caller's word that it reads as zeros already
     * @return the target
     * @throws IOException if the host refuses, another process uses it, or it is too small
     */
    public static RawTarget existing(Path path, long sizeBytes, CacheMode cacheMode, boolean readsAsZeros)
            throws IOException {
        Storage storage = FileStorage.open(path, new FileOptions(true, false, cacheMode, LockMode.WRITE));
        try {
            long present = storage.sizeBytes();
            if (SectorDisk.wholeSectors(present) < sizeBytes) {
                throw new TargetTooSmallException();
            }
        } catch (IOException | RuntimeException e) {
            storage.close();
            throw e;
        }
        RawTarget target = new RawTarget(path, storage, Kind.KEPT, sizeBytes, syncs(cacheMode));
        target.readsAsZeros = readsAsZeros;
        return target;
    }

    private static boolean syncs(CacheMode cacheMode) {
        return cacheMode != CacheMode.UNSAFE;
    }

    @Override
    public boolean readsAsZeros() {
        return readsAsZeros;
    }

    @Override
    public long belowBytes() {
        return 0;
    }

    @Override
    public int pieceBytes() {
        return 1;
    }

    @Override
    public Handle openHandle() throws IOException {
        Storage handle = storage.reopen();
        return new Handle() {
            @Override
            public void write(long offset, MemorySegment from) throws IOException {
                handle.write(offset, from);
            }

            @Override
            public boolean zero(long offset, long length) throws IOException {
                return punch(handle, offset, length);
            }

            @Override
            public void close() throws IOException {
                handle.close();
            }
        };
    }

    private boolean punch(Storage handle, long offset, long length) throws IOException {
        if (!punches) {
            return false;
        }
        try {
            handle.punchHole(offset, length);
            return true;
        } catch (StorageException e) {
            if (e.errno() != EOPNOTSUPP) {
                throw e;
            }
            punches = false;
            return false;
        }
    }

    @Override
    public void finish() throws IOException {
        if (kind == Kind.KEPT && Files.isRegularFile(path) && storage.sizeBytes() < sizeBytes) {
            storage.truncate(sizeBytes); // its last sector was not whole, and ends in zeros
        }
        if (durable) {
            storage.sync();
        }
    }

    @Override
    public String discard() throws IOException {
        return switch (kind) {
            case CREATED -> {
                Files.deleteIfExists(path);
                yield path + " removed";
            }
            case REPLACED -> {
                storage.truncate(0);
                yield path + " left empty";
            }
            case KEPT -> path + " holds only a part of the image";
        };
    }

    @Override
    public void close() throws IOException {
        storage.close();
    }
}
