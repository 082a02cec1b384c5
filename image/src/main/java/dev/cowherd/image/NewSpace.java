package dev.cowherd.image;

import dev.cowherd.metadata.SizeChange;
import dev.cowherd.storage.Storage;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * Makes the host's bytes zeros where a disk grows, and takes as much of the host's space for them as was asked for. Long work, so it can be
 * interrupted. For one thread.
 */
final class NewSpace implements SizeChange.HostSpace {
    private static final long PIECE_BYTES = 64L << 20;
    private static final int ZERO_BYTES = 2 << 20;

    private record Run(Storage file, long offset, long length) {
        boolean goesOn(Storage more, long at) {
            return more.equals(file) && at == offset + length;
        }
    }

    private final Preallocation preallocation;
    private final List<Run> provided = new ArrayList<>();

    NewSpace(Preallocation preallocation) {
        this.preallocation = preallocation;
    }

    @Override
    public void provide(Storage file, long hostOffset, long length) throws IOException {
        // Before it is: what failed half-way has to go back too.
        Run last = provided.isEmpty() ? null : provided.getLast();
        if (last != null && last.goesOn(file, hostOffset)) {
            provided.set(provided.size() - 1, new Run(file, last.offset, last.length + length));
        } else {
            provided.add(new Run(file, hostOffset, length));
        }
        long end = hostOffset + length;
        switch (preallocation) {
            case OFF -> throw new IllegalStateException("space for nothing");
            case METADATA -> makeHole(file, hostOffset, end);
            case FALLOC -> keepSpace(file, hostOffset, end);
            case FULL -> writeZeros(file, hostOffset, end);
        }
    }

    /**
     * Gives the host's space back, wherever it was asked for. These bytes hold nothing and nobody reads them: they lie past the end of the
     * disk as it stays.
     */
    void giveBack() throws IOException {
        while (!provided.isEmpty()) {
            Run run = provided.removeLast();
            run.file.punchHole(run.offset, run.length);
        }
    }

    /** Clusters that are used again have old bytes; what lies past the end becomes part of the file. */
    private static void makeHole(Storage file, long from, long to) throws IOException {
        requireNotInterrupted();
        long had = file.sizeBytes();
        if (from < had) {
            file.punchHole(from, Math.min(to, had) - from);
        }
        if (had < to) {
            file.truncate(to);
        }
    }

    /** Past the end there is nothing that zeros would have to be written over, so any host that can take space takes it. */
    private static void keepSpace(Storage file, long from, long to) throws IOException {
        long had = file.sizeBytes();
        for (long at = from; at < to; ) {
            requireNotInterrupted();
            long end = Math.min(to, at + PIECE_BYTES);
            if (at < had) {
                end = Math.min(end, had);
                file.zero(at, end - at);
            } else {
                file.allocate(at, end - at);
            }
            at = end;
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
