package dev.cowherd.proof;

import dev.cowherd.storage.Storage;
import dev.cowherd.storage.fiber.FiberLoop;
import dev.cowherd.storage.filter.InterceptingStorage;
import dev.cowherd.storage.filter.Request;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/** Holds the first operation of a kind just before it reaches the host, or just after, for as long as a test wants. */
final class HeldStorage extends InterceptingStorage {
    /** One operation to be held; shared by all handles. */
    static final class Hold {
        private final AtomicReference<@Nullable Predicate<Request>> wanted;
        private final boolean after;
        private final CountDownLatch reached = new CountDownLatch(1);
        private final CountDownLatch released = new CountDownLatch(1);
        /** Lets go on who was held on a fiber. */
        private @Nullable Runnable leftFiber;

        /** Holds the first operation, from now on, that this is true of. */
        Hold(Predicate<Request> wanted, boolean after) {
            this.wanted = new AtomicReference<>(wanted);
            this.after = after;
        }

        /** Waits until the operation is there. */
        void awaitReached() {
            try {
                reached.await();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        }

        boolean isReached() {
            return reached.getCount() == 0;
        }

        /** Called by the thread of the fiber, if one is held. */
        void release() {
            released.countDown();
            Runnable goOn = leftFiber;
            if (goOn != null) {
                goOn.run();
            }
        }

        /** A fiber leaves its thread to others, a thread waits. */
        private void hold() throws InterruptedException {
            boolean left = FiberLoop.leaveUntil(goOn -> {
                leftFiber = goOn;
                reached.countDown();
                return true;
            });
            if (!left) {
                reached.countDown();
                released.await();
            }
        }
    }

    /** What is held at the moment. */
    static final class Holds {
        private volatile @Nullable Hold hold;

        Hold next(Predicate<Request> wanted) {
            Hold made = new Hold(wanted, false);
            hold = made;
            return made;
        }

        /** The same, once the host has done it. */
        Hold nextDone(Predicate<Request> wanted) {
            Hold made = new Hold(wanted, true);
            hold = made;
            return made;
        }
    }

    private final Holds holds;

    HeldStorage(Storage next, Holds holds) {
        super(next);
        this.holds = holds;
    }

    @Override
    protected void begin(Request request) {
        meet(request, false);
    }

    @Override
    protected void end(Request request) {
        meet(request, true);
    }

    private void meet(Request request, boolean after) {
        Hold hold = holds.hold;
        Predicate<Request> wanted = hold == null || hold.after != after ? null : hold.wanted.get();
        if (hold != null && wanted != null && wanted.test(request) && hold.wanted.compareAndSet(wanted, null)) {
            try {
                hold.hold();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        }
    }

    @Override
    protected InterceptingStorage around(Storage reopened) {
        return new HeldStorage(reopened, holds);
    }
}
