package dev.cowherd.storage.ring;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.cowherd.storage.StorageException;
import dev.cowherd.storage.linux.RingCalls;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Wakes a ring's thread: an eventfd that other threads count up and the ring reads. A press is never lost: one that comes
 * while nobody listens completes the next {@link #listen} at once. Many presses may arrive as one.
 */
public final class Doorbell {
    private static final int CLOSED = -1;

    private final FileRequests requests;
    private final RingCalls calls;
    private final RingDescriptor descriptor;
    private final MemorySegment count = Arena.ofAuto().allocate(JAVA_LONG);
    private final MemorySegment one = Arena.ofAuto().allocate(JAVA_LONG);
    private int fd;

    Doorbell(Ring ring, RingCalls calls) throws IOException {
        this.requests = new FileRequests(ring);
        this.calls = calls;
        long opened = calls.eventfd();
        if (opened < 0) {
            throw StorageException.of("eventfd", "doorbell", -1, (int) -opened);
        }
        this.fd = (int) opened;
        this.descriptor = RingDescriptor.of(fd);
        one.set(JAVA_LONG, 0, 1);
    }

    /**
     * Prepares a request on the ring that completes when somebody presses, once. The ring's thread only; one at a time.
     *
     * @param token comes back with the completion, result 8
     * @return the request, for {@link Ring#cancel}
     * @throws IOException if the kernel takes no more requests
     */
    public long listen(long token) throws IOException {
        return requests.read(descriptor, 0, count, token);
    }

    /**
     * Presses, from any thread. Does nothing once the ring is closed.
     *
     * @throws IOException if the host fails
     */
    public synchronized void press() throws IOException {
        // Held so that the number is not given back, and taken by another file, in between; counting up does not block.
        if (fd != CLOSED) {
            long result = calls.write(fd, one);
            if (result < 0) {
                throw StorageException.of("eventfd write", "doorbell", -1, (int) -result);
            }
        }
    }

    synchronized void giveBack() {
        calls.close(fd);
        fd = CLOSED;
    }
}
