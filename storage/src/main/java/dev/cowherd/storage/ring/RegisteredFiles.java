package dev.cowherd.storage.ring;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.BitSet;

/**
 * A ring's table of files that the kernel keeps open for it, so that a request need not look its descriptor up. A file in the
 * table stays open there when its descriptor is closed. Belongs to the ring's thread.
 */
public final class RegisteredFiles {
    private static final int NONE = -1;
    // struct io_uring_files_update
    private static final long UPDATE_BYTES = 16;
    private static final long UPDATE_POINTER_AT = 8;

    private final Ring ring;
    private final MemorySegment update;
    private final MemorySegment descriptors;
    private final BitSet taken = new BitSet();
    private final int slots;

    RegisteredFiles(Ring ring, RingMemory memory, int slots) {
        this.ring = ring;
        this.slots = slots;
        this.update = memory.allocate(UPDATE_BYTES, Long.BYTES);
        this.descriptors = memory.allocate((long) Math.max(1, slots) * Integer.BYTES, Long.BYTES);
    }

    /** Gives the kernel a table without files. */
    void createTable() throws IOException {
        if (slots > 0) {
            for (int slot = 0; slot < slots; slot++) {
                descriptors.set(JAVA_INT, (long) slot * Integer.BYTES, NONE);
            }
            ring.register(Uapi.REGISTER_FILES, descriptors, slots);
        }
    }

    /**
     * Puts a file into the table.
     *
     * @param fd an open descriptor
     * @return what requests name: the slot, or the descriptor itself where the table is full
     * @throws IOException if the kernel refuses
     */
    public RingDescriptor register(int fd) throws IOException {
        RingDescriptor plain = RingDescriptor.of(fd);
        int slot = taken.nextClearBit(0);
        if (slot >= slots) {
            return plain;
        }
        set(slot, fd);
        taken.set(slot);
        return RingDescriptor.registered(slot);
    }

    /**
     * Takes a file out of the table. Requests that are in flight on it go on.
     *
     * @param file what {@link #register} answered; nothing is done for a plain descriptor
     * @throws IOException if the kernel refuses
     * @throws IllegalStateException if the slot holds no file
     */
    public void unregister(RingDescriptor file) throws IOException {
        if (!file.isRegistered()) {
            return;
        }
        if (!taken.get(file.number())) {
            throw new IllegalStateException("no file is in slot " + file.number() + " of the ring");
        }
        set(file.number(), NONE);
        taken.clear(file.number());
    }

    /**
     * Files in the table.
     *
     * @return how many
     */
    public int count() {
        return taken.cardinality();
    }

    private void set(int slot, int fd) throws IOException {
        descriptors.set(JAVA_INT, 0, fd);
        update.set(JAVA_INT, 0, slot);
        update.set(JAVA_LONG, UPDATE_POINTER_AT, descriptors.address());
        ring.register(Uapi.REGISTER_FILES_UPDATE, update, 1);
    }
}
