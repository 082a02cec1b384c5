package dev.cowherd.cli.convert;

import java.io.IOException;
import java.lang.foreign.MemorySegment;

/**
 * What a conversion fills, locked against other writers until it is closed.
 *
 * <p>{@link #openHandle} may be called by any thread; {@link #finish}, {@link #discard} and {@link #close} by one, after the last
 * handle is closed.
 */
public sealed interface ConvertTarget extends AutoCloseable permits RawTarget, ImageTarget {
    /** One thread's hands on a target. */
    interface Handle extends AutoCloseable {
        /**
         * Writes bytes.
         *
         * @param offset where, in bytes
         * @param from what
         * @throws IOException if the target does not take them
         */
        void write(long offset, MemorySegment from) throws IOException;

        /**
         * Makes a run read as zeros without writing them.
         *
         * @param offset where, in bytes
         * @param length how many bytes
         * @return false where the target cannot; nothing has changed then
         * @throws IOException if it fails
         */
        boolean zero(long offset, long length) throws IOException;

        @Override
        void close() throws IOException;
    }

    /** Whether what is not written reads as zeros. */
    boolean readsAsZeros();

    /** How far a backing file shows through where nothing is written, in bytes; 0 if none does. */
    long belowBytes();

    /** In which pieces it is best written, at least, in bytes. */
    int pieceBytes();

    /**
     * A handle for one thread.
     *
     * @return the handle; the caller closes it
     * @throws IOException if the host refuses
     */
    Handle openHandle() throws IOException;

    /**
     * Call when every byte is written: makes them durable, unless the cache mode is {@code unsafe}.
     *
     * @throws IOException if the host fails; the target is not good then
     */
    void finish() throws IOException;

    /**
     * Call when the conversion failed, after its last thread has ended.
     *
     * @return what has become of the target, for a person
     * @throws IOException if the host refuses
     */
    String discard() throws IOException;

    /** Gives the target and its lock back. */
    @Override
    void close() throws IOException;
}
