package dev.cowherd.metadata;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** A slice on its way into memory: one queue reads it, the others that need the same one wait here. */
final class SliceLoad {
    private final Signal done = new Signal();
    private @Nullable Slice slice;
    private @Nullable Throwable failure;

    void succeed(Slice loaded) {
        slice = loaded;
        done.fire();
    }

    void fail(Throwable cause) {
        failure = cause;
        done.fire();
    }

    /**
     * Waits for the slice of that number.
     *
     * @throws IOException what stopped the load; every waiter gets it
     */
    Slice await(Waits waits, long number) throws IOException {
        done.await(waits, WaitEvent.For.SLICE, number);
        if (slice != null) {
            return slice;
        }
        if (failure instanceof IOException e) {
            throw e;
        }
        throw new IOException("another queue failed to load the L2 slice: " + failure, failure);
    }
}
