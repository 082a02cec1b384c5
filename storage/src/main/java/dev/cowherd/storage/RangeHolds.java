package dev.cowherd.storage;

import dev.cowherd.storage.fiber.FiberLoop;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Who changes which bytes right now. A writer holds its range until its bytes are on the host; another one that overlaps
 * waits, all others go on. A thread holds one range at a time, so nobody waits in a circle.
 *
 * <p>Thread-safe. The mutex inside covers the list alone, never I/O.
 */
final class RangeHolds {
    /**
     * One held range.
     *
     * @param from its first byte
     * @param to the byte after its last, {@link Long#MAX_VALUE} for everything that follows
     */
    record Hold(long from, long to) {
        private boolean overlaps(Hold other) {
            return from < other.to && other.from < to;
        }
    }

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition released = lock.newCondition();
    private final List<Hold> held = new ArrayList<>();
    /** What wakes those who wait without a thread. */
    private final List<Runnable> wakes = new ArrayList<>();

    /** Waits until nobody holds a byte of the range, then holds it. On a fiber, leaves it meanwhile: its own thread may be the holder's. */
    Hold take(long from, long to) {
        Hold mine = new Hold(from, to);
        while (!tryTake(mine)) {
            if (!FiberLoop.leaveUntil(wake -> waitsFor(mine, wake))) {
                awaitRelease(mine);
            }
        }
        return mine;
    }

    private boolean tryTake(Hold mine) {
        lock.lock();
        try {
            return !isHeld(mine) && held.add(mine);
        } finally {
            lock.unlock();
        }
    }

    private boolean isHeld(Hold range) {
        return held.stream().anyMatch(range::overlaps);
    }

    private boolean waitsFor(Hold range, Runnable wake) {
        lock.lock();
        try {
            return isHeld(range) && wakes.add(wake);
        } finally {
            lock.unlock();
        }
    }

    private void awaitRelease(Hold range) {
        lock.lock();
        try {
            while (isHeld(range)) {
                released.awaitUninterruptibly();
            }
        } finally {
            lock.unlock();
        }
    }

    /** Holds the range if nobody holds a byte of it now; else null. */
    @Nullable
    Hold tryTake(long from, long to) {
        Hold mine = new Hold(from, to);
        lock.lock();
        try {
            if (held.stream().anyMatch(mine::overlaps)) {
                return null;
            }
            held.add(mine);
            return mine;
        } finally {
            lock.unlock();
        }
    }

    /** Lets the range go. */
    void give(Hold mine) {
        lock.lock();
        try {
            if (!held.remove(mine)) {
                throw new IllegalStateException("range " + mine + " is not held");
            }
            released.signalAll();
            // All of them look again, as the threads do.
            wakes.forEach(Runnable::run);
            wakes.clear();
        } finally {
            lock.unlock();
        }
    }
}
