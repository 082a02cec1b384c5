package dev.cowherd.nbd;

import java.io.IOException;
import java.lang.foreign.MemorySegment;

/**
 * What is served: a run of bytes that any number of connections read and write, each by a queue of its own.
 *
 * <p>This is all that the protocol knows of a disk, and where a test puts something else in its place. Safe for use by any
 * number of threads.
 */
interface Export {
    /** The size in bytes; it does not change while the export is served. */
    long sizeBytes();

    /** Whether it can be written; it does not change while the export is served. */
    boolean isWritable();

    /** Opens a queue for one connection, whose thread alone uses it and closes it. */
    Queue openQueue() throws IOException;

    /**
     * One connection's way to the bytes; used by one thread. All ranges lie inside the export. A change is seen by every queue
     * when its call returns.
     */
    interface Queue extends AutoCloseable {
        /** Fills the native segment from an offset. */
        void read(long offset, MemorySegment destination) throws IOException;

        /** What is known of the bytes from an offset on: a run of 1 to {@code maxLength} bytes. */
        Run runAt(long offset, long maxLength) throws IOException;

        /** Writes all of the native segment. */
        void write(long offset, MemorySegment source) throws IOException;

        /**
         * Makes a range read as zeros.
         *
         * @param mayUnmap whether its space may be given back
         */
        void writeZeroes(long offset, long length, boolean mayUnmap) throws IOException;

        /** Whether {@link #writeZeroes} of this range is sure to cost less than writing it. */
        boolean zeroesAreFast(long offset, long length) throws IOException;

        /** Gives back the space of a range as far as that is possible. */
        void trim(long offset, long length) throws IOException;

        /** Returns when all that completed before on any queue of the export is durable. */
        void flush() throws IOException;

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
