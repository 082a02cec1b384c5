package dev.cowherd.testkit.lab;

import dev.cowherd.storage.StorageException;
import dev.cowherd.storage.fiber.FiberLoop;
import dev.cowherd.storage.fiber.PlainTransfers;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;

/**
 * Runs workers one step at a time: each is a thread, but only the one with the baton runs, and it hands the baton on only where it
 * calls {@link #step} or {@link #await}. So one list of choices makes one run, and the same list makes it again.
 *
 * <p>A worker whose {@link FiberLoop} is {@linkplain #play played} is many: a step on a fiber leaves the fiber, and where the loop
 * would wait for its ring, each fiber that was left so may be the next to go on, on whichever worker.
 *
 * <p>Code under test must block only in {@link #await}: a worker that blocks elsewhere, say on a lock that another one holds over a
 * step, stops the run, and is reported with its stack. Calls from threads that are no workers pass through.
 */
public final class StepScheduler {
    private static final long PATIENCE_MILLIS = 20_000;
    private static final long MAX_STEPS = 1_000_000;
    private static final ExecutorService THREADS = Executors.newCachedThreadPool(
            Thread.ofPlatform().daemon().name("stepped-", 0).factory());
    private static final ThreadLocal<Worker> CURRENT = new ThreadLocal<>();

    private final Chooser chooser;
    private final long patienceMillis;
    private final List<Worker> workers = new ArrayList<>();
    private final CountDownLatch finished = new CountDownLatch(1);
    private volatile @Nullable AssertionError stuck;
    private volatile boolean running;
    private volatile boolean failed;
    private final AtomicLong steps = new AtomicLong();
    /** Touched by the holder of the baton only. */
    private long transfers;

    StepScheduler(Chooser chooser) {
        this(chooser, PATIENCE_MILLIS);
    }

    /** The patience is how long a worker may go without a step until it counts as blocked. */
    StepScheduler(Chooser chooser, long patienceMillis) {
        this.chooser = chooser;
        this.patienceMillis = patienceMillis;
    }

    /** Unwinds a worker of a run that has already failed. */
    private static final class Abandoned extends Error {
        private static final long serialVersionUID = 1L;
    }

    /** One thread and where it stands. All but the baton is touched by the holder of the baton only. */
    private final class Worker {
        final int number;
        final String name;
        final Callable<?> work;
        final Semaphore baton = new Semaphore(0);
        Object place = "its start";

        @Nullable
        BooleanSupplier blockedUntil;

        boolean done;

        /** Fibers that were left at a step. */
        final List<Stop> stops = new ArrayList<>();
        /** The fiber that ran last, if it has come to a step again. */
        @Nullable
        Stop last;

        /** The fiber that goes on. */
        @Nullable
        Stop chosen;

        /** Whether it stands where its loop would wait for the ring, and may go on only when a fiber can. */
        boolean inLoop;

        boolean waitsForFibers;
        /** Another worker has woken one of its fibers. */
        boolean pressed;

        @Nullable
        Throwable failure;

        @Nullable
        Thread thread;

        Worker(int number, String name, Callable<?> work) {
            this.number = number;
            this.name = name;
            this.work = work;
        }

        boolean isAble() {
            if (inLoop) {
                return pressed || !waitsForFibers;
            }
            BooleanSupplier until = blockedUntil;
            return !done && (until == null || until.getAsBoolean());
        }

        void run() {
            thread = Thread.currentThread();
            baton.acquireUninterruptibly();
            CURRENT.set(this);
            try {
                if (stuck == null) {
                    work.call();
                }
            } catch (Abandoned e) {
                // The run has failed elsewhere.
            } catch (Throwable e) {
                failure = e;
            } finally {
                CURRENT.remove();
                done = true;
                handOn(this);
            }
        }

        @Override
        public String toString() {
            String at = inLoop ? " waits for a fiber" : (blockedUntil == null ? " is at " : " waits for ") + place;
            return name + (done ? " has ended" : at) + (stops.isEmpty() ? "" : " with fibers " + stops);
        }
    }

    /** An operation of a storage: the bytes moved. */
    interface Move {
        long make() throws IOException;
    }

    /** Makes a transfer of the calling worker, and ends it, each when that is its turn; false for who is no worker. */
    boolean transfer(Object before, Object after, PlainTransfers by, long token, Move move) {
        Worker me = CURRENT.get();
        if (!isMine(me)) {
            return false;
        }
        IntConsumer end = by.begin(token);
        me.stops.add(new Stop(before, () -> {
            int result = result(move);
            stop(me, new Stop(after, () -> end.accept(result)));
        }));
        return true;
    }

    private static int result(Move move) {
        try {
            return Math.toIntExact(move.make());
        } catch (StorageException e) {
            return -e.errno();
        } catch (IOException e) {
            throw new AssertionError("a storage fails with the host's errno", e);
        }
    }

    /** Whether the transfer that is made now comes short. */
    boolean isShort() {
        return ++transfers % 5 == 0;
    }

    /** Where a fiber was left, or how far a transfer is. */
    private static final class Stop {
        final Object place;
        final Runnable wake;

        Stop(Object place, Runnable wake) {
            this.place = place;
            this.wake = wake;
        }

        @Override
        public String toString() {
            return place.toString();
        }
    }

    /** One who may be next: a worker, or one of its fibers. */
    private record Able(Worker worker, @Nullable Stop fiber) {}

    /** What the loop of one worker waits on instead of a ring. */
    private final class Loop implements FiberLoop.Host {
        private final Worker worker;

        Loop(Worker worker) {
            this.worker = worker;
        }

        @Override
        public void pass(boolean wait) {
            worker.chosen = null;
            worker.pressed = false;
            worker.waitsForFibers = wait;
            worker.inLoop = true;
            try {
                StepScheduler.this.pass(worker);
            } finally {
                worker.inLoop = false;
            }
            Stop next = worker.chosen;
            worker.last = null;
            if (next != null) {
                worker.stops.remove(next);
                next.wake.run();
            }
        }

        @Override
        public void press() {
            worker.pressed = true;
        }
    }

    /**
     * Plays the ring of a loop that the calling worker has opened: each of its fibers takes steps of its own, and so does each transfer that no fiber waits for. Does nothing for who is no
     * worker.
     *
     * @param loop whose fibers do nothing that needs a ring
     */
    public void play(FiberLoop loop) {
        Worker me = CURRENT.get();
        if (isMine(me)) {
            loop.waitOn(new Loop(me));
        }
    }

    /**
     * Adds a worker, before {@link #run}.
     *
     * @param name for messages
     * @param work what it does; what it throws fails the run
     */
    public void worker(String name, Callable<?> work) {
        if (running) {
            throw new IllegalStateException("worker " + name + " comes after the start");
        }
        workers.add(new Worker(workers.size(), name, work));
    }

    /**
     * Runs all workers to their ends, in the order that the chooser says.
     *
     * @throws AssertionError if nobody can go on, if a worker blocks where the scheduler cannot see it, or if one failed
     */
    public void run() {
        running = true;
        for (Worker worker : workers) {
            THREADS.execute(worker::run);
        }
        handOn(null);
        awaitEnd();
        running = false;
        AssertionError outcome = stuck;
        for (Worker worker : workers) {
            if (worker.failure != null) {
                AssertionError failure = new AssertionError(worker.name + " failed: " + worker.failure, worker.failure);
                if (outcome != null) {
                    failure.addSuppressed(outcome);
                }
                outcome = failure;
            }
        }
        if (outcome != null) {
            failed = true;
            throw outcome;
        }
    }

    private void awaitEnd() {
        try {
            long before = -1;
            while (!finished.await(patienceMillis, TimeUnit.MILLISECONDS)) {
                if (steps.get() == before) {
                    throw blockedOutside();
                }
                before = steps.get();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AssertionError("interrupted while the workers run", e);
        }
    }

    private AssertionError blockedOutside() {
        StringBuilder text = new StringBuilder("a worker blocks where the scheduler cannot see it");
        for (Worker worker : workers) {
            text.append("; ").append(worker);
        }
        AssertionError error = new AssertionError(text.toString());
        for (Worker worker : workers) {
            Thread thread = worker.thread;
            if (thread != null && !worker.done) {
                Throwable stack = new Throwable("stack of " + worker.name);
                stack.setStackTrace(thread.getStackTrace());
                error.addSuppressed(stack);
            }
        }
        return error;
    }

    /**
     * A place where another worker may take over.
     *
     * @param place where this is, for messages; its text is asked for only then
     */
    public void step(Object place) {
        Worker me = CURRENT.get();
        if (!isMine(me) || FiberLoop.leaveUntil(wake -> stop(me, new Stop(place, wake)))) {
            return;
        }
        me.place = place;
        me.blockedUntil = null;
        pass(me);
    }

    private static boolean stop(Worker worker, Stop stop) {
        worker.stops.add(stop);
        worker.last = stop;
        return true;
    }

    /**
     * Waits until something has happened, while others run.
     *
     * @param happened asked again and again by whoever has the baton; once true it stays true
     * @param place what is waited for, for messages
     */
    public void await(BooleanSupplier happened, Object place) {
        Worker me = CURRENT.get();
        if (!isMine(me)) {
            while (!happened.getAsBoolean()) {
                if (failed) {
                    throw new IllegalStateException("the run has failed, and nobody is left to wait for: " + place);
                }
                Thread.onSpinWait();
            }
            return;
        }
        while (!happened.getAsBoolean()) {
            me.place = place;
            me.blockedUntil = happened;
            pass(me);
        }
        me.blockedUntil = null;
    }

    private boolean isMine(@Nullable Worker worker) {
        return worker != null && worker.number < workers.size() && workers.get(worker.number) == worker;
    }

    private void pass(Worker me) {
        if (stuck == null) {
            steps.incrementAndGet();
            if (handOn(me)) {
                return;
            }
            me.baton.acquireUninterruptibly();
        }
        if (stuck != null) {
            throw new Abandoned();
        }
    }

    /** Gives the baton to whoever is next: true if that is the giver. */
    private boolean handOn(@Nullable Worker giver) {
        if (workers.stream().allMatch(worker -> worker.done)) {
            finished.countDown();
            return false;
        }
        List<Able> able = able(giver);
        if (stuck == null && steps.get() > MAX_STEPS) {
            stuck = new AssertionError("no end after " + steps.get() + " steps: " + workers);
        } else if (stuck == null && able.isEmpty()) {
            stuck = new AssertionError("nobody can go on: " + workers);
        }
        if (stuck != null) {
            Worker next = workers.stream().filter(w -> !w.done).findFirst().orElseThrow();
            next.baton.release();
            return false;
        }
        int[] numbers = new int[able.size()];
        Arrays.setAll(numbers, i -> i);
        Able next = able.get(chooser.choose(numbers, isCurrent(giver, able.getFirst())));
        next.worker.chosen = next.fiber;
        if (next.worker == giver) {
            return true;
        }
        next.worker.baton.release();
        return false;
    }

    /** Who can go on; first of all whoever ran last, so that every other choice interrupts it. */
    private List<Able> able(@Nullable Worker giver) {
        List<Able> able = new ArrayList<>();
        for (Worker worker : workers) {
            if (worker.isAble()) {
                add(able, new Able(worker, null), giver);
            }
            if (worker.inLoop) {
                for (Stop stop : worker.stops) {
                    add(able, new Able(worker, stop), giver);
                }
            }
        }
        return able;
    }

    private static void add(List<Able> able, Able one, @Nullable Worker giver) {
        able.add(isCurrent(giver, one) ? 0 : able.size(), one);
    }

    /** Whether the giver of the baton, or its fiber that ran last, would go on. */
    private static boolean isCurrent(@Nullable Worker giver, Able next) {
        return next.worker == giver && next.fiber == (giver.inLoop ? giver.last : null);
    }

    /**
     * The choices so far.
     *
     * @return what {@link Schedules#replaying} takes
     */
    public String choices() {
        return chooser.choices();
    }

    /**
     * How many steps the workers have made.
     *
     * @return a count
     */
    public long steps() {
        return steps.get();
    }
}
