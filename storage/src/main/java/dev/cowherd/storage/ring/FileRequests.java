package dev.cowherd.storage.ring;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * Prepares requests on files. As with the system calls, a transfer may move fewer bytes than asked.
 *
 * <p>Every method belongs to the ring's thread, answers the request for {@link Ring#cancel}, and throws
 * {@link IllegalArgumentException} for a buffer that the kernel cannot be given: not native, closed, another thread's, or larger
 * than 2 GiB less a page.
 */
public final class FileRequests {
    private static final long WHOLE_FILE = 0;
    /** The request has 32 bits for a length. */
    private static final long MOST_RANGE_BYTES = 0xffff_ffffL;

    private final Ring ring;
    private final @Nullable Completions receiver;

    /**
     * Prepares requests on one ring, whose completions go to the one who makes the turn.
     *
     * @param ring where they go
     */
    public FileRequests(Ring ring) {
        this.ring = ring;
        this.receiver = null;
    }

    /**
     * Prepares requests on one ring, whose completions find their receiver whoever makes the turn.
     *
     * @param ring where they go
     * @param receiver takes their completions
     */
    public FileRequests(Ring ring, Completions receiver) {
        this.ring = ring;
        this.receiver = receiver;
    }

    /**
     * Prepares a read, by way of registered memory if the buffer lies in it.
     *
     * @param file what to read from
     * @param offset bytes into the file; anything for a pipe or socket
     * @param destination a native segment, filled from its start; open until the completion came
     * @param token comes back with the completion, the result bytes or minus errno
     * @return the request
     * @throws IOException if the kernel takes no more requests
     */
    public long read(RingDescriptor file, long offset, MemorySegment destination, long token) throws IOException {
        ring.requireUsable(destination, true);
        return transfer(Uapi.OP_READ, Uapi.OP_READ_FIXED, file, offset, destination, token);
    }

    /**
     * Prepares a write, by way of registered memory if the buffer lies in it.
     *
     * @param file what to write to
     * @param offset bytes into the file; anything for a pipe or socket
     * @param source a native segment; open and unchanged until the completion came
     * @param token comes back with the completion, the result bytes or minus errno
     * @return the request
     * @throws IOException if the kernel takes no more requests
     */
    public long write(RingDescriptor file, long offset, MemorySegment source, long token) throws IOException {
        ring.requireUsable(source, false);
        return transfer(Uapi.OP_WRITE, Uapi.OP_WRITE_FIXED, file, offset, source, token);
    }

    private long transfer(int plain, int fixed, RingDescriptor file, long offset, MemorySegment buffer, long token)
            throws IOException {
        long address = buffer.address();
        long bytes = buffer.byteSize();
        int slot = ring.buffers().indexOf(address, bytes);
        return slot == RegisteredBuffers.NONE
                ? ring.add(plain | file.bits, offset, address, bytes, 0, token, buffer, receiver)
                : ring.add(fixed | file.bits, offset, address, bytes, slot, token, buffer, receiver);
    }

    /**
     * Prepares a read of one run of bytes into several buffers.
     *
     * @param file what to read from
     * @param offset bytes into the file
     * @param destinations native segments; the array may be used anew at once
     * @param count how many of them, 1 to 1024
     * @param token comes back with the completion, the result bytes or minus errno
     * @return the request
     * @throws IOException if the kernel takes no more requests
     */
    public long readv(RingDescriptor file, long offset, MemorySegment[] destinations, int count, long token)
            throws IOException {
        return vector(Uapi.OP_READV, file, offset, destinations, count, token);
    }

    /**
     * Prepares a write of several buffers to one run of bytes.
     *
     * @param file what to write to
     * @param offset bytes into the file
     * @param sources native segments; the array may be used anew at once
     * @param count how many of them, 1 to 1024
     * @param token comes back with the completion, the result bytes or minus errno
     * @return the request
     * @throws IOException if the kernel takes no more requests
     */
    public long writev(RingDescriptor file, long offset, MemorySegment[] sources, int count, long token)
            throws IOException {
        return vector(Uapi.OP_WRITEV, file, offset, sources, count, token);
    }

    private long vector(int operation, RingDescriptor file, long offset, MemorySegment[] buffers, int count, long token)
            throws IOException {
        long list = ring.arguments().buffers(buffers, count, operation == Uapi.OP_READV);
        long request = ring.add(operation | file.bits, offset, list, count, 0, token, null, receiver);
        ring.hold(request, buffers, count);
        return request;
    }

    /**
     * Prepares making a file's bytes durable. Covers the writes that have completed before.
     *
     * @param file what to sync
     * @param dataOnly whether times and the like may stay behind, as with fdatasync
     * @param token comes back with the completion, the result 0 or minus errno
     * @return the request
     * @throws IOException if the kernel takes no more requests
     */
    public long fsync(RingDescriptor file, boolean dataOnly, long token) throws IOException {
        long flags = dataOnly ? Uapi.FSYNC_DATASYNC : 0;
        return ring.add(Uapi.OP_FSYNC | file.bits, 0, 0, WHOLE_FILE | flags << Integer.SIZE, 0, token, null, receiver);
    }

    /**
     * Prepares sync_file_range(2): beginning, or waiting for, the way of written bytes to the device, which makes nothing durable.
     *
     * @param file what was written
     * @param offset bytes into the file
     * @param length bytes, more than zero; of more than 4 GiB less a byte only so many
     * @param flags those of the system call
     * @param token comes back with the completion, the result 0 or minus errno
     * @return the request
     * @throws IOException if the kernel takes no more requests
     */
    public long syncRange(RingDescriptor file, long offset, long length, int flags, long token) throws IOException {
        long bytes = Math.min(length, MOST_RANGE_BYTES);
        return ring.add(
                Uapi.OP_SYNC_FILE_RANGE | file.bits,
                offset,
                0,
                bytes | (long) flags << Integer.SIZE,
                0,
                token,
                null,
                receiver);
    }

    /**
     * Prepares fallocate(2): taking space, zeroing or punching a hole.
     *
     * @param file what to change
     * @param mode the mode of the system call
     * @param offset bytes into the file
     * @param length bytes, more than zero
     * @param token comes back with the completion, the result 0 or minus errno
     * @return the request
     * @throws IOException if the kernel takes no more requests
     */
    public long fallocate(RingDescriptor file, int mode, long offset, long length, long token) throws IOException {
        return ring.add(Uapi.OP_FALLOCATE | file.bits, offset, length, mode, 0, token, null, receiver);
    }

    /**
     * Prepares waiting for a descriptor to become ready, as poll(2) does.
     *
     * @param file a pipe, socket or eventfd
     * @param events the events of the system call
     * @param again whether to complete each time anew, with {@link Completions#MORE}, until cancelled
     * @param token comes back with the completion, the result the events that are there, or minus errno
     * @return the request
     * @throws IOException if the kernel takes no more requests
     */
    public long poll(RingDescriptor file, int events, boolean again, long token) throws IOException {
        long flags = again ? Uapi.POLL_ADD_MULTI : 0;
        return ring.add(
                Uapi.OP_POLL_ADD | file.bits, 0, 0, (long) events << Integer.SIZE | flags, 0, token, null, receiver);
    }

    /**
     * Prepares closing a descriptor of the process.
     *
     * @param fd the descriptor; nobody uses its number any more
     * @param token comes back with the completion, the result 0 or minus errno
     * @return the request
     * @throws IOException if the kernel takes no more requests
     */
    public long close(int fd, long token) throws IOException {
        return ring.add(Uapi.OP_CLOSE | RingDescriptor.of(fd).bits, 0, 0, 0, 0, token, null, receiver);
    }
}
