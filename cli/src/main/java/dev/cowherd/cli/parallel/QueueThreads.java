package dev.cowherd.cli.parallel;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * Runs one task on several threads and waits for all of them: the first failure stops the rest and is the one reported.
 *
 * <p>{@link #cancel()} may be called from any thread, the others by one thread, once.
 */
public final class QueueThreads {
    /** What each thread does; it asks {@link QueueThreads#stopping()} between two pieces of its work. */
    @FunctionalInterface
    public interface Task {
        /**
         * Works until there is nothing left or the threads are stopping.
         *
         * @param index the thread's number, from 0
         * @throws IOException if it cannot go on
         */
        void run(int index) throws IOException;
    }

    private final AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
    private volatile boolean cancelled;

    /** Whether the work is to end early: cancelled, or failed on some thread. */
    public boolean stopping() {
        return cancelled || failure.get() != null;
    }

    /** Asks all threads to end at the next piece of their work; does not wait for them. */
    public void cancel() {
        cancelled = true;
    }

    /**
     * Starts the threads and returns when the last one has ended.
     *
     * @param count how many threads, 1 or more
     * @param task what each does
     * @throws InterruptedIOException if the work was cancelled
     * @throws IOException the first failure
     */
    public void run(int count, Task task) throws IOException {
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            int index = i;
            threads.add(Thread.ofPlatform().name("queue-" + i).daemon().start(() -> runOne(index, task)));
        }
        for (Thread thread : threads) {
            join(thread);
        }
        switch (failure.get()) {
            case null -> {
                if (cancelled) {
                    throw new InterruptedIOException("interrupted");
                }
            }
            case IOException e -> throw e;
            case RuntimeException e -> throw e;
            case Error e -> throw e;
            case Throwable e -> throw new IllegalStateException(e);
        }
    }

    private void runOne(int index, Task task) {
        try {
            task.run(index);
        } catch (Throwable e) { // Reported by run(): no thread's failure is lost, and none hides an earlier one.
            if (!failure.compareAndSet(null, e)) {
                Throwable first = failure.get();
                if (first != null && !first.equals(e)) {
                    first.addSuppressed(e);
                }
            }
        }
    }

    private void join(Thread thread) throws InterruptedIOException {
        boolean interrupted = false;
        while (true) {
            try {
                thread.join();
                break;
            } catch (InterruptedException e) {
                interrupted = true;
                cancel();
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
