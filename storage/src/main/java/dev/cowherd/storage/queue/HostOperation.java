package dev.cowherd.storage.queue;

import dev.cowherd.storage.HostAccess;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** One operation between its submission and its completion. Used over and over by its queue. */
final class HostOperation {
    /** What an operation does. */
    enum Kind {
        READ("pread", false),
        READV("preadv", false),
        WRITE("pwrite", true),
        WRITEV("pwritev", true),
        SYNC("fdatasync", false),
        PUNCH("fallocate", true),
        ZERO("fallocate", true),
        ALLOCATE("fallocate", true);

        /** The words for messages: those of the blocking call. */
        final String call;

        /** Whether it changes bytes, so that under O_DIRECT its blocks are held. */
        final boolean changes;

        Kind(String call, boolean changes) {
            this.call = call;
            this.changes = changes;
        }

        boolean isRead() {
            return this == READ || this == READV;
        }

        boolean isTransfer() {
            return isRead() || this == WRITE || this == WRITEV;
        }
    }

    /** Its place in the queue's table: what the ring carries. */
    final int index;

    Kind kind = Kind.SYNC;

    @Nullable
    HostFile file;

    long token;
    long offset;
    /** Bytes asked for. */
    long length;
    /** Bytes moved. */
    long done;
    /** Of a transfer with one buffer. */
    MemorySegment buffer = MemorySegment.NULL;
    /** Of a vectored transfer: the first {@link #count}. */
    MemorySegment[] buffers = new MemorySegment[0];

    int count;
    /** How often the host has asked to come again. */
    int refusals;
    /** Whether the ring cannot do it here, and the storage's own blocking call must. */
    boolean onlyBlocking;

    HostAccess.@Nullable Hold hold;

    @Nullable
    IOException failure;

    HostOperation(int index) {
        this.index = index;
    }

    HostFile file() {
        HostFile current = file;
        if (current == null) {
            throw new IllegalStateException("operation " + index + " is not in use");
        }
        return current;
    }

    void begin(Kind kind, HostFile file, long offset, long length, long token) {
        this.kind = kind;
        this.file = file;
        this.offset = offset;
        this.length = length;
        this.token = token;
        this.done = 0;
        this.count = 0;
        this.refusals = 0;
        this.onlyBlocking = false;
        this.failure = null;
    }

    /** Takes the buffers over; the array stays the caller's. */
    void hold(MemorySegment[] from, int number) {
        if (buffers.length < number) {
            buffers = new MemorySegment[number];
        }
        System.arraycopy(from, 0, buffers, 0, number);
        count = number;
    }

    /** Forgets what it held of the caller's. */
    void end() {
        file = null;
        buffer = MemorySegment.NULL;
        Arrays.fill(buffers, 0, count, MemorySegment.NULL);
        count = 0;
        hold = null;
        failure = null;
    }

    /** Whether offset and buffers keep to an alignment. */
    boolean isAligned(long alignment) {
        long bits = offset | length | buffer.address();
        for (int i = 0; i < count; i++) {
            bits |= buffers[i].address() | buffers[i].byteSize();
        }
        return (bits & (alignment - 1)) == 0;
    }

    /** The buffers behind what is done, as many as fit: how many there are. */
    int rest(MemorySegment[] into) {
        long skip = done;
        int found = 0;
        for (int i = 0; i < count && found < into.length; i++) {
            long size = buffers[i].byteSize();
            if (skip >= size) {
                skip -= size;
            } else {
                into[found++] = skip == 0 ? buffers[i] : buffers[i].asSlice(skip);
                skip = 0;
            }
        }
        return found;
    }
}
