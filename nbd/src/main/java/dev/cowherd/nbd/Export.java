package dev.cowherd.nbd;

import java.io.IOException;
import java.lang.foreign.MemorySegment;

/**
 * What is served: a run of bytes that any number of connections read, each by a queue of its own.
 *
 * <p>This is all that the protocol knows of a disk, and where a test puts something else in its place. Safe for use by any
 * number of threads.
 */
interface Export {
    /** The size in bytes; it does not change while the export is served. */
    long sizeBytes();

    /** Opens a queue for one connection, whose thread alone uses it and closes it. */
    Queue openQueue() throws IOException;

    /** One connection's way to the bytes; used by one thread. */
    interface Queue extends AutoCloseable {
        /** Fills the native segment from an offset; the range lies inside the export. */
        void read(long offset, MemorySegment destination) throws IOException;

        /** What is known of the bytes from an offset on: a run of 1 to {@code maxLength} bytes. */
        Run runAt(long offset, long maxLength) throws IOException;

        @Override
        void close() throws IOException;
    }

    /**
     * A run of bytes of one kind.
     *
     * @param length bytes, more than zero
     * @param hole whether nothing is stored for it
     * @param zero whether it reads as zeros
     */
    record Run(long length, boolean hole, boolean zero) {
        int stateFlags() {
            return (hole ? Protocol.STATE_HOLE : 0) | (zero ? Protocol.STATE_ZERO : 0);
        }
    }
}
