package dev.cowherd.nbd;

import dev.cowherd.image.Engine;
import dev.cowherd.image.RequestQueue;
import dev.cowherd.storage.fiber.FiberLoop;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/**
 * What is served: a run of bytes that any number of connections read and write, each by a queue or a pipeline of its own.
 *
 * <p>This is all that the protocol knows of a disk, and where a test puts something else in its place. Safe for use by any
 * number of threads.
 */
interface Export {
    /** The size in bytes; it does not change while the export is served. */
    long sizeBytes();

    /** Whether it can be written; it does not change while the export is served. */
    boolean isWritable();

    /** The engine that it was opened for; {@link Engine#AUTO} where that is open. */
    Engine engine();

    /**
     * Which engine suits its connections, where neither it nor the server was told.
     *
     * @param maxInflight how many requests of a connection may be under way
     * @return {@link Engine#SYNC}, or {@link Engine#RING} where that can be had
     */
    Engine suitedEngine(int maxInflight);

    /** Opens a queue for one connection, whose thread alone uses it and closes it. */
    Queue openQueue() throws IOException;

    /**
     * Opens a pipeline for one connection, whose thread alone uses it and closes it.
     *
     * @param loop that thread's; the requests get on in its turns
     * @param depth how many requests may be under way
     */
    Pipeline openPipeline(FiberLoop loop, int depth) throws IOException;

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
     * One connection's way to the bytes for many requests at once, which complete in any order; used by one thread. The memory of a
     * request is the pipeline's until the request has completed.
     */
    interface Pipeline extends AutoCloseable {
        /** Begins to fill a native segment. */
        void read(long token, long offset, MemorySegment destination);

        /** Begins to write a native segment. */
        void write(long token, long offset, MemorySegment source);

        /** Begins to make durable what has completed before, on any pipeline or queue of the export. */
        void flush(long token);

        /** Begins what takes several steps, or is rare. */
        void perform(long token, Task task);

        /** Hands over what has completed in the loop's turns. */
        void take(RequestQueue.Handler handler);

        /** Waits for the requests under way, whose completions are dropped. */
        @Override
        void close() throws IOException;
    }

    /** Code that waits for each of its steps; what it waits for holds up nobody else. */
    @FunctionalInterface
    interface Task {
        void run(Queue queue) throws IOException;
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
