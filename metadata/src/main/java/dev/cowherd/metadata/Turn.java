package dev.cowherd.metadata;

import org.jspecify.annotations.Nullable;

/**
 * One at a time through a long procedure that does I/O: a flush round, a new refcount table, a changed header. No read and no
 * in-place write ever takes a turn. Thread-safe; not reentrant.
 */
public final class Turn {
    private final Waits waits;
    private final WaitEvent.For what;
    private @Nullable Signal taken;

    /**
     * Nobody has it.
     *
     * @param waits how to wait for it
     */
    public Turn(Waits waits) {
        this(waits, WaitEvent.For.PAUSE);
    }

    /** The same, with a word for the flight recorder: what for. */
    Turn(Waits waits, WaitEvent.For what) {
        this.waits = waits;
        this.what = what;
    }

    /** Waits until nobody has the turn, and takes it. */
    public void take() {
        while (true) {
            Signal theirs;
            synchronized (this) {
                if (taken == null) {
                    taken = new Signal();
                    return;
                }
                theirs = taken;
            }
            theirs.await(waits, what, -1);
        }
    }

    /** Gives the turn back. */
    public void give() {
        Signal mine;
        synchronized (this) {
            mine = taken;
            taken = null;
        }
        if (mine == null) {
            throw new IllegalStateException("a turn given back that nobody had");
        }
        mine.fire();
    }
}
