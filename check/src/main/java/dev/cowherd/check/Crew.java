package dev.cowherd.check;

import dev.cowherd.storage.Storage;
import java.io.IOException;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/** Runs one job on several threads at once, each with its own handle on the file; the calling thread is the first of them. */
final class Crew {
    private final Storage storage;
    private final int threads;

    Crew(Storage storage, int threads) {
        this.storage = storage;
        this.threads = threads;
    }

    /** Work that takes its parts from a shared counter until none is left. */
    interface Job {
        /**
         * Works until no part is left.
         *
         * @param tables this thread's way to read
         * @param first whether this is the thread that called, which alone may speak to the listener
         */
        void work(HostTables tables, boolean first) throws IOException;

        /** Lets every thread find that no part is left. */
        void giveUp();
    }

    /** Runs the job on at most {@code parts} threads and returns when all have ended; the first failure is thrown on. */
    void run(Job job, long parts) throws IOException {
        int hired = (int) Math.min(threads, Math.max(1, parts)) - 1;
        AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
        Thread[] others = new Thread[hired];
        for (int i = 0; i < hired; i++) {
            others[i] = new Thread(new Worker(job, failure), "cowherd-check-" + (i + 1));
            others[i].start();
        }
        try (HostTables tables = new HostTables(storage)) {
            job.work(tables, true);
        } catch (Throwable e) {
            failure.compareAndSet(null, e);
            job.giveUp();
        }
        for (Thread other : others) {
            join(other);
        }
        rethrow(failure.get());
    }

    private static void join(Thread thread) {
        boolean interrupted = false;
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private static void rethrow(@Nullable Throwable failure) throws IOException {
        switch (failure) {
            case null -> {}
            case IOException e -> throw e;
            case RuntimeException e -> throw e;
            case Error e -> throw e;
            default -> throw new IllegalStateException(failure);
        }
    }

    private final class Worker implements Runnable {
        private final Job job;
        private final AtomicReference<@Nullable Throwable> failure;

        Worker(Job job, AtomicReference<@Nullable Throwable> failure) {
            this.job = job;
            this.failure = failure;
        }

        @Override
        public void run() {
            try (Storage own = storage.reopen();
                    HostTables tables = new HostTables(own)) {
                job.work(tables, false);
            } catch (Throwable e) {
                failure.compareAndSet(null, e);
                job.giveUp();
            }
        }
    }
}
