package dev.cowherd.metadata;

import dev.cowherd.storage.Storage;
import java.io.IOException;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Has the host set space aside ahead of an image that grows, so that the writes of new clusters need not look for it one by one.
 * The image grows by so much first: one to which little is written takes no more than it needs.
 *
 * <p>A hint beside the format: sizes, bytes and refcounts know nothing of it, and whatever goes wrong is for the writes themselves to meet.
 * Thread-safe; one queue asks for all, and the others go on meanwhile.
 */
final class SpaceAhead {
    /** By this much an image grows before anything is set aside. */
    static final long FIRST_BYTES = 1L << 20;
    /** The most that is set aside at once: large enough that asking costs nothing. */
    static final long MOST_BYTES = 16L << 20;

    private final long openedBytes;
    private final AtomicBoolean asking = new AtomicBoolean();
    private volatile long reservedTo;
    private volatile boolean took;

    /** For a file that ends at {@code openedBytes}. */
    SpaceAhead(long openedBytes) {
        this.openedBytes = openedBytes;
        this.reservedTo = openedBytes + FIRST_BYTES;
    }

    /** New clusters were taken that end at {@code end}, and are about to be written. */
    void taken(Storage file, long end) {
        if (end <= reservedTo || !asking.compareAndSet(false, true)) {
            return;
        }
        try {
            if (end > reservedTo) {
                long length = Math.min(MOST_BYTES, Long.highestOneBit(end - openedBytes));
                boolean more = file.reserve(end, length);
                took |= more;
                reservedTo = more ? end + length : Long.MAX_VALUE;
            }
        } catch (IOException e) {
            reservedTo =
                    Long.MAX_VALUE; // What keeps the host from this will be heard of from the write, if it matters.
        } finally {
            asking.set(false);
        }
    }

    /** No request is in flight and none will come. */
    void release(Storage file) {
        if (took) {
            took = false;
            try {
                file.releaseReserve();
            } catch (IOException e) {
                // All bytes are where they belong; the file only takes more of the host's space than it needs.
                reservedTo = Long.MAX_VALUE;
            }
        }
    }
}
