package dev.cowherd.image;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.concurrent.CountDownLatch;

/**
 * The door of a queue: lets one thread in at a time, and once closed nobody any more. Closing waits for who is inside, so that
 * what the request uses can be given back afterwards. Costs a request two uncontended atomic operations.
 */
final class Admission {
    private static final int FREE = 0;
    private static final int INSIDE = 1;
    private static final int INSIDE_LAST = 2;
    private static final int CLOSED = 3;

    private static final VarHandle STATE;

    static {
        try {
            STATE = MethodHandles.lookup().findVarHandle(Admission.class, "state", int.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private final CountDownLatch empty = new CountDownLatch(1);
    private volatile int state = FREE;

    /**
     * Goes in; {@link #leave} must follow.
     *
     * @throws IllegalStateException if the door is closed, or another thread is inside: a queue belongs to one thread
     */
    void enter() {
        if (!STATE.compareAndSet(this, FREE, INSIDE)) {
            throw new IllegalStateException(
                    state == INSIDE
                            ? "two threads use one queue at once: open a queue for each"
                            : "the queue is closed");
        }
    }

    void leave() {
        if (!STATE.compareAndSet(this, INSIDE, FREE)) {
            state = CLOSED;
            empty.countDown();
        }
    }

    /** Lets nobody in from now on and waits until nobody is inside. Any thread but the one inside may call it, also repeatedly. */
    void close() {
        while (true) {
            int seen = state;
            if (seen == FREE && STATE.compareAndSet(this, FREE, CLOSED)) {
                empty.countDown();
                return;
            }
            if (seen == CLOSED
                    || seen == INSIDE_LAST
                    || (seen == INSIDE && STATE.compareAndSet(this, INSIDE, INSIDE_LAST))) {
                break;
            }
        }
        awaitEmpty();
    }

    boolean isOpen() {
        return state <= INSIDE;
    }

    private void awaitEmpty() {
        boolean interrupted = false;
        while (true) {
            try {
                empty.await();
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
