package dev.cowherd.image;

import dev.cowherd.metadata.Signal;
import dev.cowherd.metadata.Waits;
import dev.cowherd.storage.fiber.FiberLoop;

/**
 * Leaves the fiber that has to wait; on a thread that runs none, waits as ever.
 *
 * @param otherwise how to wait on other threads
 */
record FiberWaits(Waits otherwise) implements Waits {
    @Override
    public void await(Signal signal) {
        if (!FiberLoop.leaveUntil(signal::whenFired)) {
            otherwise.await(signal);
        }
    }
}
