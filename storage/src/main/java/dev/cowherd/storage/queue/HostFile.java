package dev.cowherd.storage.queue;

import dev.cowherd.storage.HostAccess;
import dev.cowherd.storage.Storage;
import dev.cowherd.storage.queue.HostOperation.Kind;
import dev.cowherd.storage.ring.RingDescriptor;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * A storage as a {@link HostQueue} sees it: the same operations, but none waits. Each carries a token that comes back with its
 * completion; its buffers are native, open and untouched until then. Operations that were submitted may be done
 * in any order; one that needs another's result is submitted after that one's completion.
 *
 * <p>Belongs to the queue's thread.
 */
public final class HostFile {
    private final HostQueue queue;
    private final Storage storage;
    private final @Nullable HostAccess access;
    private final @Nullable RingDescriptor descriptor;
    /** What offsets, lengths and addresses must keep to for the ring to do an operation. */
    final int alignment;

    /** Operations of this file that have not completed. */
    int inFlight;

    private boolean detached;

    HostFile(HostQueue queue, Storage storage, @Nullable HostAccess access, @Nullable RingDescriptor descriptor) {
        this.queue = queue;
        this.storage = storage;
        this.access = access;
        this.descriptor = descriptor;
        this.alignment = storage.preferredAlignment();
    }

    /**
     * The storage behind it, whose blocking operations go on working beside.
     *
     * @return what was attached
     */
    public Storage storage() {
        return storage;
    }

    /**
     * Whether operations go over the ring; otherwise each is done by a blocking call while it is submitted.
     *
     * @return true for a file or device of the host, on a queue with a ring
     */
    public boolean isOnRing() {
        return descriptor != null;
    }

    @Nullable
    HostAccess access() {
        return access;
    }

    RingDescriptor descriptor() {
        RingDescriptor onRing = descriptor;
        if (onRing == null) {
            throw new IllegalStateException(storage.name() + " is not on the ring");
        }
        return onRing;
    }

    /**
     * Submits {@link Storage#read}.
     *
     * @param offset host offset in bytes, 0 or more
     * @param destination a native segment, filled from its start
     * @param token comes back with the completion
     * @throws IOException if the ring fails
     */
    public void read(long offset, MemorySegment destination, long token) throws IOException {
        transfer(Kind.READ, offset, destination, token);
    }

    /**
     * Submits {@link Storage#write}.
     *
     * @param offset host offset in bytes, 0 or more
     * @param source a native segment
     * @param token comes back with the completion
     * @throws IOException if the ring fails
     */
    public void write(long offset, MemorySegment source, long token) throws IOException {
        transfer(Kind.WRITE, offset, source, token);
    }

    private void transfer(Kind kind, long offset, MemorySegment buffer, long token) throws IOException {
        HostOperation operation = begin(kind, offset, buffer.byteSize(), token);
        operation.buffer = buffer;
        queue.start(operation);
    }

    /**
     * Submits {@link Storage#readv}.
     *
     * @param offset host offset in bytes, 0 or more
     * @param destinations native segments; the array may be used anew at once
     * @param count how many of them
     * @param token comes back with the completion
     * @throws IOException if the ring fails
     */
    public void readv(long offset, MemorySegment[] destinations, int count, long token) throws IOException {
        vector(Kind.READV, offset, destinations, count, token);
    }

    /**
     * Submits {@link Storage#writev}.
     *
     * @param offset host offset in bytes, 0 or more
     * @param sources native segments; the array may be used anew at once
     * @param count how many of them
     * @param token comes back with the completion
     * @throws IOException if the ring fails
     */
    public void writev(long offset, MemorySegment[] sources, int count, long token) throws IOException {
        vector(Kind.WRITEV, offset, sources, count, token);
    }

    private void vector(Kind kind, long offset, MemorySegment[] buffers, int count, long token) throws IOException {
        long length = 0;
        for (int i = 0; i < count; i++) {
            length = Math.addExact(length, buffers[i].byteSize());
        }
        HostOperation operation = begin(kind, offset, length, token);
        operation.hold(buffers, count);
        queue.start(operation);
    }

    /**
     * Submits {@link Storage#sync}. It covers the writes that have completed before it was submitted.
     *
     * @param token comes back with the completion
     * @throws IOException if the ring fails
     */
    public void sync(long token) throws IOException {
        queue.start(begin(Kind.SYNC, 0, 0, token));
    }

    /**
     * Submits {@link Storage#punchHole}.
     *
     * @param offset host offset in bytes
     * @param length bytes, more than zero
     * @param token comes back with the completion
     * @throws IOException if the ring fails
     */
    public void punchHole(long offset, long length, long token) throws IOException {
        queue.start(begin(Kind.PUNCH, offset, length, token));
    }

    /**
     * Submits {@link Storage#zero}.
     *
     * @param offset host offset in bytes
     * @param length bytes, more than zero
     * @param token comes back with the completion
     * @throws IOException if the ring fails
     */
    public void zero(long offset, long length, long token) throws IOException {
        queue.start(begin(Kind.ZERO, offset, length, token));
    }

    /**
     * Submits {@link Storage#allocate}.
     *
     * @param offset host offset in bytes
     * @param length bytes, more than zero
     * @param token comes back with the completion
     * @throws IOException if the ring fails
     */
    public void allocate(long offset, long length, long token) throws IOException {
        queue.start(begin(Kind.ALLOCATE, offset, length, token));
    }

    private HostOperation begin(Kind kind, long offset, long length, long token) {
        if (detached) {
            throw new IllegalStateException(storage.name() + " is detached from the queue");
        }
        return queue.begin(kind, this, offset, length, token);
    }

    /**
     * Takes the storage off the queue, before it is closed. Does nothing the second time.
     *
     * @throws IOException if the ring fails
     * @throws IllegalStateException if operations of the file are in flight
     */
    public void detach() throws IOException {
        if (inFlight > 0) {
            throw new IllegalStateException(storage.name() + " has " + inFlight + " operations in flight");
        }
        if (!detached) {
            detached = true;
            queue.detach(this);
        }
    }

    @Override
    public String toString() {
        return storage.name();
    }
}
