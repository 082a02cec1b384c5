package dev.cowherd.image;

import dev.cowherd.storage.fiber.FiberLoop;
import java.io.IOException;
import java.util.Optional;
import java.util.function.Consumer;

/** How a {@link RequestQueue} moves bytes. A {@link DiskQueue} makes system calls on its thread always. */
public enum Engine {
    /**
     * The ring for queues that take more than one request at a time, where it can be had; else system calls. One request at a time costs
     * less by system calls; it gains by the ring only where it reads many places of a host that takes its time, which a disk of
     * {@link #RING} waits for at once. Where the ring cannot be had a warning says why.
     */
    AUTO,
    /** System calls on the queue's thread: each request is done when {@link RequestQueue#submit} returns. */
    SYNC,
    /** io_uring: requests of one queue wait for the host side by side. Opening a queue fails where it cannot be had. */
    RING;

    /** What a queue of so many requests gets that asks for this; why {@link #AUTO} cannot have the ring is said. */
    Engine forQueue(int depth, Consumer<String> warnings) throws IOException {
        if (this == SYNC || (this == AUTO && depth == 1)) {
            return SYNC;
        }
        Optional<String> refusal = FiberLoop.refusal();
        if (refusal.isEmpty()) {
            return RING;
        }
        if (this == RING) {
            throw new IOException("the ring engine cannot be had: " + refusal.get());
        }
        warnings.accept("using system calls instead of io_uring: " + refusal.get());
        return SYNC;
    }
}
