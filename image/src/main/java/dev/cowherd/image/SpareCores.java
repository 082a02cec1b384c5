package dev.cowherd.image;

import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Threads for the cores that the queues of a process leave alone: they take work that holds up a queue's thread while that has other
 * requests to go on with.
 *
 * <p>Nothing piles up here: each thread has at most one piece of work in hand and one to go on with, and what finds no room is refused, so
 * that whoever has it does it at once. The threads start with the first work and end after {@link #IDLE_SECONDS} without. Thread-safe.
 */
final class SpareCores {
    /** One thread for each core but the one that has the work. */
    static final SpareCores OF_PROCESS = new SpareCores(Runtime.getRuntime().availableProcessors() - 1);

    private static final int IDLE_SECONDS = 5;

    private final int count;
    private final AtomicInteger taken = new AtomicInteger();
    /** Queues' threads that do such work themselves. */
    private final AtomicInteger busy = new AtomicInteger();

    private final ThreadPoolExecutor threads;

    /** With so many threads at most; none take no work. */
    SpareCores(int count) {
        this.count = count;
        int size = Math.max(1, count);
        AtomicInteger number = new AtomicInteger();
        this.threads = new ThreadPoolExecutor(
                size, size, IDLE_SECONDS, TimeUnit.SECONDS, new ArrayBlockingQueue<>(2 * size), work -> {
                    Thread thread = new Thread(work, "cowherd-spare-core-" + number.getAndIncrement());
                    thread.setDaemon(true);
                    return thread;
                });
        threads.allowCoreThreadTimeOut(true);
    }

    /**
     * Has work done by another thread, if there is a core for it soon: one that no such thread, and no queue's own, is busy on.
     *
     * @param work must not throw
     * @return false if the caller has to do it
     */
    boolean take(Runnable work) {
        if (taken.getAndIncrement() >= 2 * (count - busy.get())) {
            taken.getAndDecrement();
            return false;
        }
        AtomicBoolean begun = new AtomicBoolean();
        try {
            threads.execute(() -> {
                if (begun.compareAndSet(false, true)) {
                    try {
                        work.run();
                    } finally {
                        taken.getAndDecrement();
                    }
                }
            });
        } catch (OutOfMemoryError e) {
            // The host gives no thread. The caller does without, as on one core, unless a thread that was there has it
            // already.
            if (begun.compareAndSet(false, true)) {
                taken.getAndDecrement();
                return false;
            }
        }
        return true;
    }

    /** The calling thread does a piece of such work itself, with no core to spare for that of others; {@link #done} follows. */
    void doing() {
        busy.getAndIncrement();
    }

    void done() {
        busy.getAndDecrement();
    }
}
