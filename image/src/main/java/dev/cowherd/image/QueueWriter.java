package dev.cowherd.image;

import java.io.IOException;
import java.lang.foreign.MemorySegment;

/**
 * How one queue changes the disk: one kind for each format of the top layer. Ranges lie within the disk, segments are native. Used by
 * the queue's thread.
 */
sealed interface QueueWriter permits Qcow2Writer, RawWriter {
    void write(long offset, MemorySegment source) throws IOException;

    /**
     * Whether writing this is nothing but one transfer to a place that is there, as far as is known in memory; the place is noted. Waits for
     * nothing.
     */
    boolean isPlain(long offset, MemorySegment source, Place place) throws IOException;

    void zero(long offset, long length, ZeroMode mode) throws IOException;

    /** Whether {@link #zero} would write no zeros byte by byte. */
    boolean zeroesAreFast(long offset, long length) throws IOException;

    void discard(long offset, long length) throws IOException;

    void flush() throws IOException;
}
