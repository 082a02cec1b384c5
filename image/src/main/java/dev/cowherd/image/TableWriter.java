package dev.cowherd.image;

import dev.cowherd.storage.Storage;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Writes the tables of a new image, big-endian words, in large pieces. For one thread. */
final class TableWriter implements AutoCloseable {
    private static final int PIECE_BYTES = 1 << 20;
    private static final int ALIGNMENT = 4096;
    private static final ValueLayout.OfLong WORD = ValueLayout.JAVA_LONG.withOrder(ByteOrder.BIG_ENDIAN);

    private final Storage target;
    private final Arena arena = Arena.ofConfined();
    private final MemorySegment piece = arena.allocate(PIECE_BYTES, ALIGNMENT);
    private long offset;
    private int filled;

    TableWriter(Storage target) {
        this.target = target;
    }

    /** Goes on at another host offset, in bytes. */
    void goTo(long hostOffset) throws IOException {
        if (hostOffset != offset + filled) {
            writeOut();
            offset = hostOffset;
        }
    }

    void word(long word) throws IOException {
        if (filled == PIECE_BYTES) {
            writeOut();
        }
        piece.set(WORD, filled, word);
        filled += Long.BYTES;
    }

    void words(long word, long count) throws IOException {
        for (long i = 0; i < count; i++) {
            word(word);
        }
    }

    /** Bytes whose number is a multiple of 8. */
    void bytes(ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            word(bytes.getLong());
        }
    }

    /**
     * Writes zeros from a host offset on, not only the promise of them. This is what may take minutes.
     *
     * @throws InterruptedIOException if the thread is interrupted
     */
    void zeros(long hostOffset, long length) throws IOException {
        goTo(hostOffset);
        writeOut();
        piece.fill((byte) 0);
        for (long rest = length; rest > 0; ) {
            if (Thread.currentThread().isInterrupted()) {
                throw new InterruptedIOException("interrupted");
            }
            long step = Math.min(rest, PIECE_BYTES);
            target.write(offset, piece.asSlice(0, step));
            offset += step;
            rest -= step;
        }
    }

    void writeOut() throws IOException {
        if (filled > 0) {
            target.write(offset, piece.asSlice(0, filled));
            offset += filled;
            filled = 0;
        }
    }

    @Override
    public void close() {
        arena.close();
    }
}
