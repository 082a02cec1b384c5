package dev.cowherd.metadata;

import java.util.concurrent.CountDownLatch;

/**
 * An event that happens once and that queues wait for: a slice is loaded, an allocation has ended, a flush is through. Whatever the
 * thread that fires it did before is seen by those who waited. Thread-safe.
 */
public final class Signal {
    private final CountDownLatch fired = new CountDownLatch(1);

    /** Creates an event that has not happened yet. */
    public Signal() {}

    /** Lets everyone go on who waits or will wait. Does nothing the second time. */
    public void fire() {
        fired.countDown();
    }

    /**
     * Whether it happened.
     *
     * @return true from {@link #fire} on
     */
    public boolean isFired() {
        return fired.getCount() == 0;
    }

    /**
     * Waits for it, in the way that the engine was told to wait.
     *
     * @param waits how to wait
     */
    public void await(Waits waits) {
        if (!isFired()) {
            waits.await(this);
        }
    }

    /** Parks the thread. An interrupt is kept for later: what is waited for ends by itself. */
    void park() {
        boolean interrupted = false;
        while (true) {
            try {
                fired.await();
                break;
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
