package dev.cowherd.storage;

import dev.cowherd.storage.fiber.FiberLoop;
import dev.cowherd.storage.fiber.PlainTransfers;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/**
 * Host bytes at host offsets: a local file, a block device, or a filter in front of one.
 *
 * <p>All I/O is positional and blocks the calling thread; no method moves a shared cursor. Every method may be called
 * by any number of threads at once. For speed each queue takes its own handle by {@link #reopen()}, so that two queues
 * share no descriptor of the host. Segments must be native (off-heap).
 *
 * <p>Errors are {@link StorageException} with the host's errno. A closed storage fails every operation with a clear
 * error.
 */
public interface Storage extends AutoCloseable {
    /**
     * The name for messages.
     *
     * @return the path as the user gave it
     */
    String name();

    /**
     * The size as of now.
     *
     * @return bytes of the file or device
     * @throws IOException if the host refuses
     */
    long sizeBytes() throws IOException;

    /**
     * The space that the bytes take on the host: less than the size for a sparse file. A storage that cannot tell answers
     * its size.
     *
     * @return bytes
     * @throws IOException if the host refuses
     */
    default long allocatedBytes() throws IOException {
        return sizeBytes();
    }

    /**
     * Reads until the segment is full or the storage ends.
     *
     * @param offset host offset in bytes, 0 or more
     * @param destination a native segment, filled from its start
     * @return the bytes read: the segment's size, or less only where the storage ends
     * @throws IOException if the host fails; what the segment holds then is undefined
     */
    long read(long offset, MemorySegment destination) throws IOException;

    /**
     * Reads one run of host bytes into several segments, in order, in as few host calls as possible.
     *
     * @param offset host offset in bytes, 0 or more
     * @param destinations native segments; the first {@code count} are filled
     * @param count how many of them to use
     * @return the bytes read: the sum of the sizes, or less only where the storage ends
     * @throws IOException if the host fails
     */
    long readv(long offset, MemorySegment[] destinations, int count) throws IOException;

    /**
     * Writes the whole segment.
     *
     * @param offset host offset in bytes, 0 or more; beyond the end the storage grows
     * @param source a native segment
     * @throws IOException if the host fails; any part may have been written
     */
    void write(long offset, MemorySegment source) throws IOException;

    /**
     * Writes several segments, in order, to one run of host bytes, in as few host calls as possible.
     *
     * @param offset host offset in bytes, 0 or more; beyond the end the storage grows
     * @param sources native segments; the first {@code count} are written
     * @param count how many of them to use
     * @throws IOException if the host fails; any part may have been written
     */
    void writev(long offset, MemorySegment[] sources, int count) throws IOException;

    /**
     * Makes a run of bytes read as zeros and gives its space back where the host can. Bytes past the end are left alone.
     *
     * @param offset host offset in bytes
     * @param length bytes, more than zero
     * @throws IOException if the host fails
     */
    void punchHole(long offset, long length) throws IOException;

    /**
     * Makes a run of bytes read as zeros, as a write of zeros would: beyond the end the storage grows. The host keeps space
     * for the run where it can, and moves no bytes where it knows how.
     *
     * @param offset host offset in bytes
     * @param length bytes, more than zero
     * @throws IOException if the host fails; any part may have been zeroed
     */
    void zero(long offset, long length) throws IOException;

    /**
     * Takes space on the host for a run of bytes, so that writes there do not fail for lack of it. The bytes read as before;
     * beyond the end the storage grows and reads as zeros. A host that cannot take space ahead gets zeros written where the
     * run lies past the end; holes inside stay holes there.
     *
     * @param offset host offset in bytes
     * @param length bytes, more than zero
     * @throws IOException if the host fails, for one when it is full
     */
    void allocate(long offset, long length) throws IOException;

    /**
     * Sets the size: cuts, or grows with a hole.
     *
     * @param sizeBytes the new size in bytes
     * @throws IOException if the host refuses
     */
    void truncate(long sizeBytes) throws IOException;

    /**
     * Makes all completed writes durable (fdatasync).
     *
     * @throws IOException if the host fails; then nothing is known of any write since the last success
     */
    void sync() throws IOException;

    /**
     * Lets the host begin to bring written bytes to where a {@link #sync} makes them durable, so that the sync has less to wait for.
     * Nothing is durable by this, and nothing needs it: a storage that has no such way does nothing.
     *
     * @param offset host offset in bytes, 0 or more
     * @param length bytes, more than zero
     * @throws IOException if the host fails; then nothing is known of any write since the last successful sync
     */
    default void startWriteback(long offset, long length) throws IOException {}

    /**
     * Lets the host set space aside for bytes that will be written past the end soon, so that it need not look for space at each write.
     * The size stays, and so does what is read. Nothing needs it, so it never fails for what the host says. What is still set aside when
     * no more is written is given back by {@link #releaseReserve()}.
     *
     * @param offset host offset in bytes, 0 or more
     * @param length bytes, more than zero
     * @return whether it was set aside; false where that gains nothing, space is short or the host cannot: asking again is no use then
     * @throws IOException if the storage is closed or was opened read-only
     */
    default boolean reserve(long offset, long length) throws IOException {
        return false;
    }

    /**
     * Gives back the space that lies past the end. Nobody makes the storage grow meanwhile.
     *
     * @throws IOException if the host fails; the bytes are as they were
     */
    default void releaseReserve() throws IOException {}

    /**
     * What the host knows of the bytes from an offset on. A storage that cannot tell answers that all is data.
     *
     * @param offset host offset in bytes, below {@link #sizeBytes()}
     * @return the run that starts there; it does not reach past the storage's end
     * @throws IOException if the host fails
     */
    HostRange rangeAt(long offset) throws IOException;

    /**
     * The alignment in bytes that offsets, lengths and addresses must have for I/O without a bounce buffer: 1 through
     * the page cache, the device's requirement under O_DIRECT. Unaligned I/O is correct too, only slower.
     *
     * @return a power of two
     */
    int preferredAlignment();

    /**
     * An independent handle on the same bytes, for one queue: own descriptor, same access. It stays usable when this one is
     * closed. Image locks stay with the first handle.
     *
     * @return the new handle; the caller closes it
     * @throws IOException if the host refuses, for one when it runs out of descriptors
     */
    Storage reopen() throws IOException;

    /**
     * Like {@link #reopen()}, for a queue that does not wait on its thread: what a fiber of the loop calls on the new handle leaves the
     * fiber where it can, instead of blocking the thread.
     *
     * @param loop the queue's loop; the handle is closed before it
     * @return the new handle; one that blocks, where this storage knows no better
     * @throws IOException if the host refuses
     */
    default Storage reopenFor(FiberLoop loop) throws IOException {
        return reopen();
    }

    /**
     * Begins a read in one transfer on the loop that this handle was reopened for, without waiting for anything.
     *
     * @param by takes the transfer
     * @param offset host offset in bytes, 0 or more
     * @param destination a native segment, open until the result came
     * @param token comes back with the result: the bytes read, which may be fewer than asked anywhere, or minus errno
     * @return false if only {@link #read} will do: for storages that must see every operation, as filters do, handles of no loop, and
     *     what takes more than one transfer. Nothing was done then.
     * @throws IOException if the kernel takes no more requests
     */
    default boolean beginRead(PlainTransfers by, long offset, MemorySegment destination, long token)
            throws IOException {
        return false;
    }

    /**
     * Begins a write in one transfer, like {@link #beginRead}. When its result came, {@link #endWrite} must follow.
     *
     * @param by takes the transfer
     * @param offset host offset in bytes, 0 or more
     * @param source a native segment, open and unchanged until the result came
     * @param token comes back with the result: the bytes written, or minus errno
     * @return false if only {@link #write} will do; nothing was done then
     * @throws IOException if the kernel takes no more requests
     */
    default boolean beginWrite(PlainTransfers by, long offset, MemorySegment source, long token) throws IOException {
        return false;
    }

    /**
     * Ends what {@link #beginWrite} began, after its result came: whoever waits to change the same bytes may go on.
     *
     * @param offset the write's
     * @param length the write's bytes
     */
    default void endWrite(long offset, long length) {}

    /**
     * Gives the handle back. Does nothing the second time. Does not wait for I/O of other threads on this handle: they must
     * have ended.
     *
     * @throws IOException if the host reports an error on close
     */
    @Override
    void close() throws IOException;
}
