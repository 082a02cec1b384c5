package dev.cowherd.image;

import dev.cowherd.storage.Storage;
import org.jspecify.annotations.Nullable;

/** Where on the host a request's bytes are, all of them in one run. Kept and reused by one queue. */
final class Place {
    private @Nullable Storage storage;
    private long offset;

    void set(Storage to, long hostOffset) {
        storage = to;
        offset = hostOffset;
    }

    /** The asking queue's own handle. */
    Storage storage() {
        Storage there = storage;
        if (there == null) {
            throw new IllegalStateException("no place was noted");
        }
        return there;
    }

    /** Host bytes. */
    long offset() {
        return offset;
    }
}
