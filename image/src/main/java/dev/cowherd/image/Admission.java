package dev.cowherd.image;

import dev.cowherd.metadata.Signal;
import dev.cowherd.metadata.Waits;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * The door of a queue: lets one thread in at a time, and once closed nobody any more. Closing waits for who is inside, so that
 * what the request uses can be given back afterwards. A pause lets nobody in for a while: who comes waits, who is inside ends first.
 * Costs a request two uncontended atomic operations.
 */
final class Admission {
    private static final int FREE = 0;
    private static final int INSIDE = 1;
    /** Somebody is inside, and a pause waits for them. */
    private static final int INSIDE_PAUSING = 2;

    private static final int PAUSED = 3;
    /** Somebody is inside, and the door closes behind them. */
    private static final int INSIDE_LAST = 4;

    private static final int CLOSED = 5;

    private static final VarHandle STATE;

    static {
        try {
            STATE = MethodHandles.lookup().findVarHandle(Admission.class, "state", int.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private final Waits waits;
    private final Signal closed = new Signal();
    /** For the pause that is under way: nobody is inside any more; it is over. */
    private volatile Signal emptied = new Signal();

    private volatile Signal resumed = new Signal();
    private volatile int state = FREE;

    Admission(Waits waits) {
        this.waits = waits;
    }

    /**
     * Goes in; {@link #leave} must follow.
     *
     * @throws IllegalStateException if the door is closed, or another thread is inside: a queue belongs to one thread
     */
    void enter() {
        while (!STATE.compareAndSet(this, FREE, INSIDE)) {
            Signal over = resumed;
            switch (state) {
                case FREE -> {}
                case PAUSED -> over.await(waits);
                case INSIDE, INSIDE_PAUSING ->
                    throw new IllegalStateException("two threads use one queue at once: open a queue for each");
                default -> throw new IllegalStateException("the queue is closed");
            }
        }
    }

    /** Goes in if that takes no waiting; {@link #leave} must follow if it did. */
    boolean tryEnter() {
        return STATE.compareAndSet(this, FREE, INSIDE);
    }

    void leave() {
        if (STATE.compareAndSet(this, INSIDE, FREE)) {
            return;
        }
        if (STATE.compareAndSet(this, INSIDE_PAUSING, PAUSED)) {
            emptied.fire();
            return;
        }
        state = CLOSED;
        emptied.fire();
        closed.fire();
    }

    /** Lets nobody in until {@link #resume}, and waits until nobody is inside. One thread at a time pauses. */
    void pause() {
        emptied = new Signal();
        resumed = new Signal();
        while (true) {
            if (state >= INSIDE_LAST) {
                closed.await(waits);
                return;
            }
            if (STATE.compareAndSet(this, FREE, PAUSED)) {
                return;
            }
            if (STATE.compareAndSet(this, INSIDE, INSIDE_PAUSING)) {
                emptied.await(waits);
                return;
            }
        }
    }

    /** Ends a pause. */
    void resume() {
        STATE.compareAndSet(this, PAUSED, FREE);
        resumed.fire();
    }

    /** Lets nobody in from now on and waits until nobody is inside. Any thread but the one inside may call it, also repeatedly. */
    void close() {
        while (true) {
            int seen = state;
            if (seen == FREE || seen == PAUSED) {
                if (STATE.compareAndSet(this, seen, CLOSED)) {
                    closed.fire();
                    resumed.fire();
                    return;
                }
            } else if (seen >= INSIDE_LAST || STATE.compareAndSet(this, seen, INSIDE_LAST)) {
                closed.await(waits);
                return;
            }
        }
    }

    boolean isOpen() {
        return state < INSIDE_LAST;
    }
}
