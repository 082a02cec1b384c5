package dev.cowherd.image;

import java.io.IOException;
import java.lang.foreign.MemorySegment;

/**
 * What a {@link RequestQueue} is asked to do: one of the operations of {@link DiskQueue}, or a piece of code that uses several, with a
 * token of the caller's that comes back with its completion. Offsets and lengths are guest bytes.
 */
public sealed interface Request {
    /**
     * The caller's own mark.
     *
     * @return any number
     */
    long token();

    /**
     * {@link DiskQueue#read(long, MemorySegment)}.
     *
     * @param token comes back with the completion
     * @param offset guest offset in bytes
     * @param destination open, and the queue's, until the completion; native memory is read into directly
     */
    record Read(long token, long offset, MemorySegment destination) implements Request {}

    /**
     * {@link DiskQueue#write(long, MemorySegment)}.
     *
     * @param token comes back with the completion
     * @param offset guest offset in bytes
     * @param source open and unchanged until the completion; native memory is written from directly
     */
    record Write(long token, long offset, MemorySegment source) implements Request {}

    /**
     * {@link DiskQueue#writeZeroes}.
     *
     * @param token comes back with the completion
     * @param offset guest offset in bytes
     * @param length bytes
     * @param mode what may become of the host's space
     */
    record WriteZeroes(long token, long offset, long length, ZeroMode mode) implements Request {}

    /**
     * {@link DiskQueue#discard}.
     *
     * @param token comes back with the completion
     * @param offset guest offset in bytes
     * @param length bytes
     */
    record Discard(long token, long offset, long length) implements Request {}

    /**
     * {@link DiskQueue#flush}: covers what had completed when it was submitted.
     *
     * @param token comes back with the completion
     */
    record Flush(long token) implements Request {}

    /** Several operations that follow one another, or that are no request by themselves. */
    @FunctionalInterface
    interface Task {
        /**
         * Works. What waits for the host or another request leaves the thread, as every request does.
         *
         * @param queue to be used here alone, until this returns
         * @throws IOException becomes the completion's failure
         */
        void run(DiskQueue queue) throws IOException;
    }

    /**
     * Code that uses the blocking face.
     *
     * @param token comes back with the completion
     * @param task what to do, on the queue's thread
     */
    record Work(long token, Task task) implements Request {}
}
