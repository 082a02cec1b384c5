package dev.cowherd.metadata;

import java.io.IOException;
import java.util.concurrent.CountDownLatch;
import org.jspecify.annotations.Nullable;

/** A slice on its way into memory: one queue reads it, the others that need the same one wait here. */
final class SliceLoad {
    private final CountDownLatch done = new CountDownLatch(1);
    private @Nullable Slice slice;
    private @Nullable Throwable failure;

    void succeed(Slice loaded) {
        slice = loaded;
        done.countDown();
    }

    void fail(Throwable cause) {
        failure = cause;
        done.countDown();
    }

    /**
     * Waits for the slice. An interrupt is kept for later: the load ends by itself.
     *
     * @throws IOException what stopped the load; every waiter gets it
     */
    Slice await() throws IOException {
        boolean interrupted = false;
        while (true) {
            try {
                done.await();
                break;
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        if (slice != null) {
            return slice;
        }
        if (failure instanceof IOException e) {
            throw e;
        }
        throw new IOException("another queue failed to load the L2 slice: " + failure, failure);
    }
}
