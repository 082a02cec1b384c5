package dev.cowherd.storage.ring;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.cowherd.storage.Errno;
import dev.cowherd.storage.StorageException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * A ring's table of memory that the kernel keeps pinned and mapped, so that transfers to and from it skip that work. Requests on
 * buffers that lie inside registered memory are made in the faster form by themselves. Belongs to the ring's thread.
 */
public final class RegisteredBuffers {
    /** Answered for memory that is not registered. */
    static final int NONE = -1;

    private static final long PAGE_BYTES = 4096;
    // struct io_uring_rsrc_register and struct io_uring_rsrc_update2: both of this size
    private static final long ARGUMENT_BYTES = 32;
    private static final long UPDATE_DATA_AT = 8;
    private static final long UPDATE_COUNT_AT = 24;
    private static final long IOVEC_BYTES = 16;

    private final Ring ring;
    private final RingMemory memory;
    private final int slots;
    private final long[] starts;
    private final long[] sizes;
    private final @Nullable MemorySegment[] held;
    private int end;
    private @Nullable MemorySegment argument;
    private @Nullable Arena own;

    RegisteredBuffers(Ring ring, RingMemory memory, int slots) {
        this.ring = ring;
        this.memory = memory;
        this.slots = slots;
        this.starts = new long[slots];
        this.sizes = new long[slots];
        this.held = new MemorySegment[slots];
    }

    /**
     * Allocates memory that the ring owns, registered if the kernel allows it: limits of locked memory may forbid it, and then the
     * memory works like any other. It is given back after the ring's last completion, when the ring is closed.
     *
     * @param bytes how much, more than zero
     * @return zeroed memory at a page's start, for use by any thread
     * @throws IOException if the kernel refuses for a reason that has nothing to do with limits
     */
    public MemorySegment allocate(long bytes) throws IOException {
        Arena arena = own;
        if (arena == null) {
            arena = Arena.ofShared();
            own = arena;
        }
        MemorySegment buffer = arena.allocate(bytes, PAGE_BYTES);
        try {
            register(buffer);
        } catch (StorageException e) {
            // No more memory may be locked, or this kernel has no such tables: then it is plain memory.
            if (e.errno() != Errno.ENOMEM.number() && e.errno() != Errno.EINVAL.number()) {
                throw e;
            }
        }
        return buffer;
    }

    /**
     * Registers memory of the caller's. It stays registered, and reachable, until it is unregistered or the ring is closed.
     *
     * @param buffer native memory of at most 1 GiB
     * @return whether there was a slot for it
     * @throws IOException if the kernel refuses: ENOMEM where the limit of locked memory is reached
     */
    public boolean register(MemorySegment buffer) throws IOException {
        ring.requireUsable(buffer, true);
        int slot = 0;
        while (slot < end && held[slot] != null) {
            slot++;
        }
        if (slot == slots) {
            return false;
        }
        set(slot, buffer.address(), buffer.byteSize());
        held[slot] = buffer;
        starts[slot] = buffer.address();
        sizes[slot] = buffer.byteSize();
        end = Math.max(end, slot + 1);
        return true;
    }

    /**
     * Takes memory out of the table. Requests that are in flight on it go on.
     *
     * @param buffer what was registered
     * @return whether it was in the table
     * @throws IOException if the kernel refuses
     */
    public boolean unregister(MemorySegment buffer) throws IOException {
        for (int slot = 0; slot < end; slot++) {
            if (held[slot] != null && starts[slot] == buffer.address() && sizes[slot] == buffer.byteSize()) {
                set(slot, 0, 0);
                held[slot] = null;
                sizes[slot] = 0;
                return true;
            }
        }
        return false;
    }

    /** The slot whose memory covers a run, or {@link #NONE}. */
    int indexOf(long address, long bytes) {
        for (int slot = 0; slot < end; slot++) {
            long into = address - starts[slot];
            if (into >= 0 && bytes <= sizes[slot] - into) {
                return slot;
            }
        }
        return NONE;
    }

    private void set(int slot, long address, long bytes) throws IOException {
        MemorySegment room = argument;
        if (room == null) {
            room = createTable();
            argument = room;
        }
        room.set(JAVA_LONG, ARGUMENT_BYTES, address);
        room.set(JAVA_LONG, ARGUMENT_BYTES + Long.BYTES, bytes);
        MemorySegment update = room.asSlice(0, ARGUMENT_BYTES).fill((byte) 0);
        update.set(JAVA_INT, 0, slot);
        update.set(JAVA_LONG, UPDATE_DATA_AT, room.address() + ARGUMENT_BYTES);
        update.set(JAVA_INT, UPDATE_COUNT_AT, 1);
        ring.register(Uapi.REGISTER_BUFFERS_UPDATE, update, (int) ARGUMENT_BYTES);
    }

    /** Gives the kernel a table without buffers: the room for updates of it, with room for one iovec behind. */
    private MemorySegment createTable() throws IOException {
        MemorySegment room = memory.allocate(ARGUMENT_BYTES + IOVEC_BYTES, Long.BYTES);
        MemorySegment table = room.asSlice(0, ARGUMENT_BYTES);
        table.set(JAVA_INT, 0, slots);
        table.set(JAVA_INT, Integer.BYTES, Uapi.RSRC_REGISTER_SPARSE);
        ring.register(Uapi.REGISTER_BUFFERS2, table, (int) ARGUMENT_BYTES);
        return room;
    }

    /** Nothing is in flight, and the kernel has let go of the table. */
    void giveBack() {
        Arena arena = own;
        if (arena != null) {
            own = null;
            arena.close();
        }
    }
}
