package dev.cowherd.storage.fiber;

import dev.cowherd.storage.StorageException;
import java.io.IOException;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * Runs one piece of work after another, and none of the loop's thread while one waits. Used by the loop's thread alone.
 */
final class Fiber {
    /** Where a thread notes the fiber whose code it runs now: fetched once a loop, so that a mount costs a store. */
    static final class Place {
        private static final ThreadLocal<Place> OF_THREAD = ThreadLocal.withInitial(Place::new);

        private @Nullable Fiber fiber;

        static Place ofThread() {
            return OF_THREAD.get();
        }
    }

    private final FiberLoop loop;
    private final Place place;
    /** Its number in the loop, and the token of its request on the ring: it has at most one. */
    final int number;

    private final Coroutine coroutine;
    private @Nullable Runnable work;
    private int result;
    private boolean notBegun;

    Fiber(FiberLoop loop, Place place, int number) {
        this.loop = loop;
        this.place = place;
        this.number = number;
        this.coroutine = new Coroutine(this::workOn);
    }

    /** The fiber that runs on the calling thread, or null if its code is not a fiber's. */
    static @Nullable Fiber current() {
        return Place.ofThread().fiber;
    }

    FiberLoop loop() {
        return loop;
    }

    void begin(Runnable next) {
        work = next;
        mount();
    }

    /** Goes on where the code left. */
    void mount() {
        place.fiber = this;
        try {
            coroutine.mount();
        } finally {
            place.fiber = null;
        }
    }

    private void workOn() {
        while (true) {
            Runnable now = work;
            if (now != null) {
                work = null;
                now.run();
                loop.idle(this);
            }
            Coroutine.leave();
        }
    }

    /** What a request on the ring is prepared by. */
    interface Preparation {
        void prepare(long token) throws IOException;
    }

    /**
     * Called by its code: prepares a request on the ring and comes back with its result, bytes or minus errno. Where the kernel takes no
     * more requests, that is the result.
     */
    long await(Preparation request) {
        notBegun = true;
        if (loop.hasFailed()) {
            return RingFailure.RESULT;
        }
        try {
            request.prepare(number);
        } catch (StorageException e) {
            loop.fail(e);
            return -e.errno();
        } catch (IOException e) {
            throw new IllegalStateException("a ring fails with the kernel's errno or not at all", e);
        }
        Coroutine.leave();
        return result;
    }

    /** Called by its code after {@link #await}: whether the kernel never began that request, because the ring has failed. */
    boolean wasNotBegun() {
        return notBegun;
    }

    void completed(int with, boolean takenBack) {
        result = with;
        notBegun = takenBack;
    }

    /** Called by its code: leaves until it is woken, unless that is not needed any more. */
    void awaitWake(Predicate<Runnable> register) {
        // Every leave has one wake, and no wake is without its leave: else it would end another wait.
        if (register.test(() -> loop.wake(this))) {
            Coroutine.leave();
        }
    }
}
