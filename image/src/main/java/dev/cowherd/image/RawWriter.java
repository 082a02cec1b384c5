package dev.cowherd.image;

import dev.cowherd.metadata.WriteStoppedException;
import dev.cowherd.storage.Storage;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/** Writes to a raw top layer: every byte has its place. */
final class RawWriter implements QueueWriter {
    private final Storage file;
    private final boolean punchHoles;
    /** The first failed sync, shared by all queues: nobody knows what the file holds since. */
    private final AtomicReference<@Nullable IOException> stopped;

    RawWriter(Storage file, boolean punchHoles, AtomicReference<@Nullable IOException> stopped) {
        this.file = file;
        this.punchHoles = punchHoles;
        this.stopped = stopped;
    }

    @Override
    public void write(long offset, MemorySegment source) throws IOException {
        requireSound();
        file.write(offset, source);
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
