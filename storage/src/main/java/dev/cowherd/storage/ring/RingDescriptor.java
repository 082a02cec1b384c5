package dev.cowherd.storage.ring;

/**
 * What a request works on: a descriptor of the process, or a slot in a ring's table of registered files, which costs the kernel
 * less for each request. Immutable; one of a slot is good only for the ring that gave it.
 */
public final class RingDescriptor {
    private static final int FLAGS_SHIFT = 8;

    /** The descriptor and its flag, where a request's first word has them. */
    final long bits;

    private final int number;

    private RingDescriptor(int number, int flags) {
        this.number = number;
        this.bits = (long) number << Integer.SIZE | (long) flags << FLAGS_SHIFT;
    }

    /**
     * A descriptor of the process.
     *
     * @param fd an open file, pipe, socket or eventfd
     * @return what requests name
     * @throws IllegalArgumentException if the number is negative
     */
    public static RingDescriptor of(int fd) {
        if (fd < 0) {
            throw new IllegalArgumentException("no descriptor has the number " + fd);
        }
        return new RingDescriptor(fd, 0);
    }

    static RingDescriptor registered(int slot) {
        return new RingDescriptor(slot, Uapi.SQE_FIXED_FILE);
    }

    boolean isRegistered() {
        return (bits >>> FLAGS_SHIFT & Uapi.SQE_FIXED_FILE) != 0;
    }

    int number() {
        return number;
    }

    @Override
    public String toString() {
        return (isRegistered() ? "registered file " : "descriptor ") + number;
    }
}
