package dev.cowherd.image;

import dev.cowherd.metadata.SizeChange;
import dev.cowherd.storage.Storage;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Makes the host's bytes zeros where a disk grows, and takes as much of the host's space for them as was asked for. Long work, so it can be interrupted. */
final class NewSpace implements SizeChange.HostSpace {
    private static final int ZERO_BYTES = 2 << 20;

    private final Preallocation preallocation;

    NewSpace(Preallocation preallocation) {
        this.preallocation = preallocation;
    }

    @Override
    public void provide(Storage file, long hostOffset, long length) throws IOException {
        requireNotInterrupted();
        switch (preallocation) {
            case OFF -> throw new IllegalStateException("space for nothing");
            case METADATA -> makeHole(file, hostOffset, length);
            case FALLOC -> file.zero(hostOffset, length);
            case FULL -> writeZeros(file, hostOffset, hostOffset + length);
        }
    }

    /** Clusters that are used again have old bytes; what lies past the end becomes part of the file. */
    private static void makeHole(Storage file, long hostOffset, long length) throws IOException {
        long had = file.sizeBytes();
        if (hostOffset < had) {
            file.punchHole(hostOffset, Math.min(length, had - hostOffset));
        }
        if (had < hostOffset + length) {
            file.truncate(hostOffset + length);
        }
    }

    private static void writeZeros(Storage file, long from, long to) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment zeros = arena.allocate(Math.min(ZERO_BYTES, to - from), 4096);
            for (long at = from; at < to; at += zeros.byteSize()) {
                requireNotInterrupted();
                file.write(at, zeros.asSlice(0, Math.min(zeros.byteSize(), to - at)));
            }
        }
    }

    private static void requireNotInterrupted() throws InterruptedIOException {
        if (Thread.currentThread().isInterrupted()) {
            throw new InterruptedIOException("interrupted");
        }
    }
}
