package dev.cowherd.storage;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * How to reach a storage's bytes by system calls of one's own, a ring's for one, and what such calls must keep to: offsets, lengths
 * and addresses by {@link Storage#preferredAlignment()}, and, for changes, a hold where the storage has blocks.
 */
public interface HostAccess {
    /**
     * The descriptor, good while the storage is open.
     *
     * @return its number
     * @throws IOException if the storage is closed
     */
    int descriptor() throws IOException;

    /**
     * Whether the storage was opened for changes.
     *
     * @return false if changes are refused
     */
    boolean writable();

    /**
     * Whether {@link Storage#sync()} does nothing here.
     *
     * @return true in {@link CacheMode#UNSAFE}
     */
    boolean ignoresSync();

    /**
     * Holds a run of bytes for a change, so that no other change of their blocks happens meanwhile. Does not wait. The
     * run is aligned and the change does not move the end to a place inside a block.
     *
     * @param offset host offset in bytes
     * @param length bytes
     * @return the hold, given back when the change is done; null if somebody else holds some of it
     */
    @Nullable
    Hold tryHold(long offset, long length);

    /** A run of bytes that nobody else changes. */
    interface Hold {
        /** Lets it go, from any thread, once. */
        void give();
    }
}
