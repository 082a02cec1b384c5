package dev.cowherd.metadata;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * Whether the image may still be written. Once stopped it stays so until it is opened again: after a failed fsync nobody knows what
 * the disk holds, and a corrupt image gets worse with each write. Reading goes on. Thread-safe.
 */
final class Health {
    private final String path;
    private volatile @Nullable String reason;
    private volatile @Nullable Throwable cause;

    Health(String path) {
        this.path = path;
    }

    /** Stops writing for good; the first reason stays. */
    synchronized void stop(String why, Throwable first) {
        if (reason == null) {
            cause = first;
            reason = why;
        }
    }

    boolean isStopped() {
        return reason != null;
    }

    /**
     * Refuses a write after the stop.
     *
     * @throws WriteStoppedException if writing has stopped
     */
    void requireSound() throws IOException {
        String why = reason;
        if (why != null) {
            throw new WriteStoppedException(path, why, cause);
        }
    }
}
