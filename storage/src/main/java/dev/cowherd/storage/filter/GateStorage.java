package dev.cowherd.storage.filter;

import dev.cowherd.storage.Errno;
import dev.cowherd.storage.Storage;
import dev.cowherd.storage.StorageException;
import dev.cowherd.storage.fiber.FiberLoop;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Predicate;

/**
 * Proves parallelism: an operation goes on only when a number of them are inside at once. Where operations come one
 * after the other, the first one waits alone until its patience ends, and fails with how many were inside.
 *
 * <p>Each time the number is reached, those inside go on together, and the next ones wait for one another again. Handles that were
 * reopened share one gate. Thread-safe.
 */
public final class GateStorage extends InterceptingStorage {
    private final Gate gate;

    /**
     * Stands in front of a storage, the gate closed.
     *
     * @param next where operations go when the gate lets them
     * @param held which operations meet at the gate; the others pass by
     * @param number how many must be inside at once
     * @param patience how long an operation waits for the others before it fails
     */
    public GateStorage(Storage next, Predicate<Request> held, int number, Duration patience) {
        this(next, new Gate(held, number, patience));
    }

    private GateStorage(Storage next, Gate gate) {
        super(next);
        this.gate = gate;
    }

    /**
     * A gate for reads of any place.
     *
     * @param next where operations go when the gate lets them
     * @param number how many reads must be inside at once
     * @return the storage
     */
    public static GateStorage forReads(Storage next, int number) {
        return new GateStorage(next, r -> r.operation() == Operation.READ, number, Duration.ofSeconds(20));
    }

    /** Lets everything through from now on, those that wait included. */
    public void open() {
        gate.open();
    }

    /**
     * How often the number was reached.
     *
     * @return a count
     */
    public int meetings() {
        return gate.meetings();
    }

    @Override
    protected void begin(Request request) throws StorageException {
        if (gate.held.test(request)) {
            gate.meet(name(), request);
        }
    }

    @Override
    protected GateStorage around(Storage reopened) {
        return new GateStorage(reopened, gate);
    }

    /** Where the operations of all handles meet. */
    private static final class Gate {
        private static final int MET = -1;

        private final Predicate<Request> held;
        private final int number;
        private final Duration patience;
        private final ReentrantLock lock = new ReentrantLock();
        private final Condition changed = lock.newCondition();
        /** What wakes the fibers that wait. */
        private final List<Runnable> wakes = new ArrayList<>();

        private int waiting;
        private int meetings;
        private int failedWith = -1;
        private boolean open;

        Gate(Predicate<Request> held, int number, Duration patience) {
            this.held = held;
            this.number = number;
            this.patience = patience;
        }

        void open() {
            lock.lock();
            try {
                open = true;
                letGo();
            } finally {
                lock.unlock();
            }
        }

        int meetings() {
            lock.lock();
            try {
                return meetings;
            } finally {
                lock.unlock();
            }
        }

        void meet(String name, Request request) throws StorageException {
            int mine = enter();
            if (mine == MET || FiberLoop.leaveUntil(wake -> waitsFor(mine, wake))) {
                return;
            }
            awaitOthers(mine, name, request);
        }

        /** Answers which meeting to wait for, or that this one is complete. */
        private int enter() {
            lock.lock();
            try {
                waiting++;
                if (waiting < number) {
                    return meetings;
                }
                waiting = 0;
                meetings++;
                letGo();
                return MET;
            } finally {
                lock.unlock();
            }
        }

        private void letGo() {
            changed.signalAll();
            wakes.forEach(Runnable::run);
            wakes.clear();
        }

        /** For a fiber, which waits as long as it takes: patience belongs to its thread. */
        private boolean waitsFor(int meeting, Runnable wake) {
            lock.lock();
            try {
                return meeting == meetings && !open && wakes.add(wake);
            } finally {
                lock.unlock();
            }
        }

        private void awaitOthers(int mine, String name, Request request) throws StorageException {
            lock.lock();
            try {
                long nanos = patience.toNanos();
                while (mine == meetings && !open && failedWith < 0) {
                    if (nanos <= 0) {
                        failedWith = waiting;
                        changed.signalAll();
                    } else {
                        nanos = changed.awaitNanos(nanos);
                    }
                }
                if (mine == meetings && !open) {
                    throw failure(name, request);
                }
            } catch (InterruptedException e) {
                if (mine == meetings) {
                    waiting--;
                }
                Thread.currentThread().interrupt();
                throw new StorageException(
                        "gate",
                        name,
                        request.offset(),
                        Errno.EINTR.number(),
                        "interrupted while waiting for the others");
            } finally {
                lock.unlock();
            }
        }

        private StorageException failure(String name, Request request) {
            return new StorageException(
                    "gate",
                    name,
                    request.offset(),
                    Errno.ETIMEDOUT.number(),
                    "waited " + TimeUnit.NANOSECONDS.toMillis(patience.toNanos()) + " ms for " + number + " "
                            + request.operation() + " operations to be inside at once, but only " + failedWith
                            + " were");
        }
    }
}
