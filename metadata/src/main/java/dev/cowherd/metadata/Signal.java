package dev.cowherd.metadata;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * An event that happens once and that queues wait for: a slice is loaded, an allocation has ended, a flush is through. Whatever the
 * thread that fires it did before is seen by those who waited. Thread-safe.
 *
 * <p>Every table that is loaded makes one, and hardly ever does somebody wait for it: until then it is one small object.
 */
public final class Signal {
    private volatile boolean fired;

    // Guarded by this.
    private int parked;
    private @Nullable List<Runnable> actions;

    /** Creates an event that has not happened yet. */
    public Signal() {}

    /** Lets everyone go on who waits or will wait. Does nothing the second time. */
    public void fire() {
        List<Runnable> now;
        synchronized (this) {
            fired = true;
            now = actions;
            actions = null;
            if (parked > 0) {
                notifyAll();
            }
        }
        if (now != null) {
            now.forEach(Runnable::run);
        }
    }

    /**
     * Has something done when it happens, by the thread that fires it; for those who wait without a thread.
     *
     * @param action quick, and does not throw
     * @return false if it has happened already; the action is not run then
     */
    public boolean whenFired(Runnable action) {
        synchronized (this) {
            if (fired) {
                return false;
            }
            if (actions == null) {
                actions = new ArrayList<>(1);
            }
            actions.add(action);
            return true;
        }
    }

    /**
     * Whether it happened.
     *
     * @return true from {@link #fire} on
     */
    public boolean isFired() {
        return fired;
    }

    /**
     * Waits for it, in the way that the engine was told to wait.
     *
     * @param waits how to wait
     */
    public void await(Waits waits) {
        await(waits, WaitEvent.For.PAUSE, -1);
    }

    /** The same, with a word for the flight recorder: what for, and which one. */
    void await(Waits waits, WaitEvent.For what, long number) {
        if (!isFired()) {
            WaitEvent event = new WaitEvent();
            event.begin();
            waits.await(this);
            event.finish(what, number);
        }
    }

    /** Parks the thread. An interrupt is kept for later: what is waited for ends by itself. */
    void park() {
        boolean interrupted = false;
        synchronized (this) {
            parked++;
            while (!fired) {
                try {
                    wait();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
            parked--;
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
