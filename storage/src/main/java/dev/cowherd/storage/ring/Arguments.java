package dev.cowherd.storage.ring;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.MemorySegment;

/**
 * Room for the structures that requests point to: lists of buffers, message headers, times. The kernel copies them when it takes
 * the request, so the room is used anew whenever nothing waits to be taken.
 */
final class Arguments {
    /** The kernel's IOV_MAX. */
    static final int MOST_BUFFERS = 1024;

    private static final long IOVEC_BYTES = 16;
    private static final long MESSAGE_BYTES = 56;
    private static final long TIME_BYTES = 16;
    private static final long ROOM_BYTES = 4 * (MOST_BUFFERS * IOVEC_BYTES + MESSAGE_BYTES);
    private static final long NANOS_PER_SECOND = 1_000_000_000L;

    private final Ring ring;
    private final MemorySegment room;
    private long used;

    Arguments(Ring ring, RingMemory memory) {
        this.ring = ring;
        this.room = memory.allocate(ROOM_BYTES, IOVEC_BYTES);
    }

    private long take(long bytes) throws IOException {
        if (!ring.hasPending()) {
            used = 0;
        } else if (bytes > ROOM_BYTES - used) {
            ring.submit();
            used = 0;
        }
        long at = used;
        used += (bytes + IOVEC_BYTES - 1) & -IOVEC_BYTES;
        return at;
    }

    /** The address of an array of iovecs for the first {@code count} buffers. */
    long buffers(MemorySegment[] buffers, int count, boolean written) throws IOException {
        requireCount(buffers, count);
        long at = take(count * IOVEC_BYTES);
        fillBuffers(at, buffers, count, written);
        return room.address() + at;
    }

    /** The address of a message header that names the first {@code count} buffers and no peer. */
    long message(MemorySegment[] buffers, int count, boolean written) throws IOException {
        requireCount(buffers, count);
        long at = take(MESSAGE_BYTES + 8 + count * IOVEC_BYTES);
        long list = at + MESSAGE_BYTES + 8;
        room.asSlice(at, MESSAGE_BYTES).fill((byte) 0);
        room.set(JAVA_LONG, at + 16, room.address() + list);
        room.set(JAVA_LONG, at + 24, count);
        fillBuffers(list, buffers, count, written);
        return room.address() + at;
    }

    /** The address of a span of time. */
    long time(long nanos) throws IOException {
        long at = take(TIME_BYTES);
        setTime(room, at, nanos);
        return room.address() + at;
    }

    static void setTime(MemorySegment segment, long at, long nanos) {
        segment.set(JAVA_LONG, at, nanos / NANOS_PER_SECOND);
        segment.set(JAVA_LONG, at + Long.BYTES, nanos % NANOS_PER_SECOND);
    }

    private void fillBuffers(long at, MemorySegment[] buffers, int count, boolean written) {
        for (int i = 0; i < count; i++) {
            ring.requireUsable(buffers[i], written);
            room.set(JAVA_LONG, at + i * IOVEC_BYTES, buffers[i].address());
            room.set(JAVA_LONG, at + i * IOVEC_BYTES + Long.BYTES, buffers[i].byteSize());
        }
    }

    private static void requireCount(MemorySegment[] buffers, int count) {
        if (count < 1 || count > Math.min(buffers.length, MOST_BUFFERS)) {
            throw new IllegalArgumentException("a request has 1 to " + MOST_BUFFERS + " of the " + buffers.length
                    + " buffers given, not " + count);
        }
    }

    /** The argument of a wait that ends at the latest after a time: struct io_uring_getevents_arg, the time behind it. */
    static final class Wait {
        private static final long ARGUMENT_BYTES = 24;
        private static final long TIME_POINTER_AT = 16;

        private final MemorySegment whole;

        /** What the kernel is given. */
        final MemorySegment argument;

        Wait(RingMemory memory) {
            whole = memory.allocate(ARGUMENT_BYTES + TIME_BYTES, Long.BYTES);
            argument = whole.asSlice(0, ARGUMENT_BYTES);
            whole.set(JAVA_INT, Long.BYTES, 0);
            whole.set(JAVA_LONG, TIME_POINTER_AT, whole.address() + ARGUMENT_BYTES);
        }

        MemorySegment of(long nanos) {
            setTime(whole, ARGUMENT_BYTES, nanos);
            return argument;
        }
    }
}
