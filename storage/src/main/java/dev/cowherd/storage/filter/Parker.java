package dev.cowherd.storage.filter;

import dev.cowherd.storage.fiber.FiberLoop;
import java.util.concurrent.locks.LockSupport;

/** Lets the calling thread wait for a span of time; a test puts its own clock here. */
@FunctionalInterface
public interface Parker {
    /** Waits in real time: a fiber is left meanwhile. An interrupt of a thread does not shorten the wait and is kept. */
    Parker REAL_TIME = nanos -> {
        if (FiberLoop.pause(nanos)) {
            return;
        }
        long end = System.nanoTime() + nanos;
        boolean interrupted = false;
        for (long left = nanos; left > 0; left = end - System.nanoTime()) {
            LockSupport.parkNanos(left);
            interrupted |= Thread.interrupted();
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    };

    /**
     * Returns when the time has passed.
     *
     * @param nanos nanoseconds, more than zero
     */
    void park(long nanos);
}
