package dev.cowherd.proof;

import dev.cowherd.storage.Storage;
import dev.cowherd.storage.fiber.FiberLoop;
import dev.cowherd.storage.fiber.PlainTransfers;
import dev.cowherd.storage.filter.InterceptingStorage;
import dev.cowherd.storage.filter.Operation;
import dev.cowherd.storage.filter.Request;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.IntConsumer;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * Holds the first operation of a kind just before it reaches the host, or just after, for as long as a test wants. Of a ring's transfers
 * that need no fiber, the one to be held goes its own way, and all others are left to fibers.
 */
final class HeldStorage extends InterceptingStorage {
    /** One operation to be held; shared by all handles. */
    static final class Hold {
        private final AtomicReference<@Nullable Predicate<Request>> wanted;
        private final boolean after;
        private final CountDownLatch reached = new CountDownLatch(1);
        private final CountDownLatch released = new CountDownLatch(1);
        /** Lets go on who was held on a fiber, or makes the transfer that was held. */
        private @Nullable Runnable left;

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

        /** Called by the thread of the ring, if something of one is held. The second time nothing happens. */
        void release() {
            released.countDown();
            Runnable goOn = left;
            left = null;
            if (goOn != null) {
                goOn.run();
            }
        }

        private boolean leave(Runnable goOn) {
            left = goOn;
            reached.countDown();
            return true;
        }

        /** A fiber leaves its thread to others, a thread waits. */
        private void hold() throws InterruptedException {
            if (!FiberLoop.leaveUntil(this::leave)) {
                reached.countDown();
                released.await();
            }
        }

        /** Whether this is what is to be held; it is then held once. */
        private boolean takes(Request request, boolean isAfter) {
            Predicate<Request> now = wanted.get();
            return after == isAfter && now != null && now.test(request) && wanted.compareAndSet(now, null);
        }
    }

    /** What is held at the moment. */
    static final class Holds {
        private volatile @Nullable Hold hold;
        private final List<Hold> all = new ArrayList<>();

        Hold next(Predicate<Request> wanted) {
            return hold(new Hold(wanted, false));
        }

        /** The same, once the host has done it. */
        Hold nextDone(Predicate<Request> wanted) {
            return hold(new Hold(wanted, true));
        }

        private Hold hold(Hold made) {
            all.add(made);
            hold = made;
            return made;
        }

        /** Lets all go on, so that a test that has failed can close its disk. */
        void end() {
            hold = null;
            all.forEach(Hold::release);
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
        if (hold != null && hold.takes(request, after)) {
            try {
                hold.hold();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        }
    }

    @Override
    public boolean beginRead(PlainTransfers by, long offset, MemorySegment destination, long token) throws IOException {
        return meet(by, token, new Request(Operation.READ, offset, destination.byteSize()), () -> {
            read(offset, destination);
        });
    }

    @Override
    public boolean beginWrite(PlainTransfers by, long offset, MemorySegment source, long token) throws IOException {
        return meet(by, token, new Request(Operation.WRITE, offset, source.byteSize()), () -> write(offset, source));
    }

    /** A transfer on the host. */
    private interface Transfer {
        void make() throws IOException;
    }

    private boolean meet(PlainTransfers by, long token, Request request, Transfer transfer) throws IOException {
        Hold hold = holds.hold;
        if (hold == null || !(hold.takes(request, false) || hold.takes(request, true))) {
            return false;
        }
        boolean before = !hold.after;
        if (!before) {
            transfer.make();
        }
        IntConsumer ended = by.begin(token);
        return hold.leave(() -> {
            try {
                if (before) {
                    transfer.make();
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            ended.accept((int) request.length());
        });
    }

    @Override
    protected InterceptingStorage around(Storage reopened) {
        return new HeldStorage(reopened, holds);
    }
}
