package dev.cowherd.image;

import dev.cowherd.format.Header;
import dev.cowherd.metadata.WriteStoppedException;
import dev.cowherd.storage.Errno;
import dev.cowherd.storage.Storage;
import dev.cowherd.storage.StorageException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/** Writes to a raw top layer: every byte has its place. */
final class RawWriter implements QueueWriter {
    private static final int MAGIC_BYTES = Integer.BYTES;

    private final Storage file;
    private final boolean punchHoles;
    /** Whether nobody said that the file is raw: then a guest must not be able to make it look like something else. */
    private final boolean guessed;
    /** The first failed sync, shared by all queues: nobody knows what the file holds since. */
    private final AtomicReference<@Nullable IOException> stopped;

    RawWriter(Storage file, boolean punchHoles, boolean guessed, AtomicReference<@Nullable IOException> stopped) {
        this.file = file;
        this.punchHoles = punchHoles;
        this.guessed = guessed;
        this.stopped = stopped;
    }

    @Override
    public void write(long offset, MemorySegment source) throws IOException {
        requireSound();
        if (guessed && offset < MAGIC_BYTES) {
            refuseMagic(offset, source);
        }
        file.write(offset, source);
    }

    @Override
    public boolean isPlain(long offset, MemorySegment source, Place place) {
        if (stopped.get() != null || (guessed && offset < MAGIC_BYTES)) {
            return false;
        }
        place.set(file, offset);
        return true;
    }

    /** Who opens the file next by a look at it would take it for an image, with whatever backing file the guest put there. */
    private void refuseMagic(long offset, MemorySegment source) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment start = arena.allocate(MAGIC_BYTES);
            file.read(0, start);
            MemorySegment.copy(source, 0, start, offset, Math.min(source.byteSize(), MAGIC_BYTES - offset));
            if (Header.hasMagic(start.asByteBuffer())) {
                throw new StorageException(
                        "write",
                        file.name(),
                        offset,
                        Errno.EPERM.number(),
                        "the file was opened as raw only because nothing else was found in it, so the start of a QCOW2 image"
                                + " is not written to it; open it with format raw to allow that");
            }
        }
    }

    @Override
    public void zero(long offset, long length, ZeroMode mode) throws IOException {
        requireSound();
        if (mode == ZeroMode.MAY_UNMAP && punchHoles) {
            file.punchHole(offset, length);
        } else {
            file.zero(offset, length);
        }
    }

    @Override
    public boolean zeroesAreFast(long offset, long length) {
        return true;
    }

    @Override
    public void discard(long offset, long length) throws IOException {
        requireSound();
        if (punchHoles) {
            file.punchHole(offset, length);
        }
    }

    @Override
    public void flush() throws IOException {
        requireSound();
        try {
            file.sync();
        } catch (IOException e) {
            stopped.compareAndSet(null, e);
            throw e;
        }
    }

    private void requireSound() throws IOException {
        IOException first = stopped.get();
        if (first != null) {
            throw new WriteStoppedException(
                    file.name(), "the host failed to make writes durable (" + first.getMessage() + ")", first);
        }
    }
}
