package dev.cowherd.storage.fiber;

import dev.cowherd.storage.linux.RingCalls;
import dev.cowherd.storage.linux.RingSystemCalls;
import dev.cowherd.storage.ring.Completions;
import dev.cowherd.storage.ring.Doorbell;
import dev.cowherd.storage.ring.FileRequests;
import dev.cowherd.storage.ring.Ring;
import dev.cowherd.storage.ring.RingDescriptor;
import dev.cowherd.storage.ring.RingOptions;
import dev.cowherd.storage.ring.RingRefusedException;
import dev.cowherd.storage.ring.SocketRequests;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * One thread's requests: those that can go on go on, one after the other, until each waits for the ring or for a signal; then a turn of
 * the ring hands the kernel all that was prepared at once, and brings back who can go on next.
 *
 * <p>If the ring fails, all its requests are taken back: work that waited for them goes on with an I/O error, and so does all that begins
 * later. So every piece of work ends, whatever it holds is let go of, and the loop can be closed.
 *
 * <p>Belongs to the platform thread that opened it, but for {@link #wake}.
 */
public final class FiberLoop implements AutoCloseable {
    private static final long DOORBELL = -1;
    private static final int MOST_ENTRIES = 256;
    /** ETIME. */
    private static final int TIME_IS_UP = 62;

    private final Thread owner = Thread.currentThread();
    private final Fiber.Place place = Fiber.Place.ofThread();
    private final Ring ring;
    private final FileRequests requests;
    private final Doorbell doorbell;
    private final RingFailure failure;
    private final Completions completions = this::completed;
    private final List<Fiber> fibers = new ArrayList<>();
    private final ArrayDeque<Fiber> idle = new ArrayDeque<>();
    private final ArrayDeque<Fiber> ready = new ArrayDeque<>();
    /** Work that a fiber began: fibers are mounted side by side, never one on another. */
    private final ArrayDeque<Runnable> begun = new ArrayDeque<>();
    /** Fibers that another thread woke. */
    private final Queue<Fiber> woken = new ConcurrentLinkedQueue<>();

    private final AtomicBoolean pressed = new AtomicBoolean();
    private boolean listening;
    /** Fibers whose work has not ended. */
    private int busy;
    /** Transfers that no fiber waits for. */
    private int transfers;

    private @Nullable Host played;

    /** What a loop waits on for its fibers to go on; the ring, unless a test plays it. */
    public interface Host {
        /**
         * Called where no fiber can go on: wakes some or ends transfers, on the loop's thread.
         *
         * @param wait whether to return only when something of that was done, here or by another thread
         */
        void pass(boolean wait);

        /** Another thread has woken a fiber: {@link #pass} waits no longer. */
        void press();
    }

    private FiberLoop(Ring ring) throws IOException {
        this.ring = ring;
        this.requests = new FileRequests(ring);
        this.doorbell = ring.doorbell();
        this.failure = new RingFailure(ring);
    }

    /**
     * Opens a ring for the calling thread.
     *
     * @param depth requests that are under way at a time
     * @return the loop; the same thread closes it
     * @throws RingRefusedException if there is no ring, or no coroutine, to be had
     * @throws IOException if the host fails
     */
    public static FiberLoop open(int depth) throws IOException {
        int entries = Math.clamp(Integer.highestOneBit(Math.max(1, depth - 1)) * 2L, 8, MOST_ENTRIES);
        return open(RingOptions.ofEntries(entries), RingSystemCalls.HOST);
    }

    /** The same with a ring of a given size; a test may stand between it and the kernel. */
    static FiberLoop open(RingOptions options, RingCalls calls) throws IOException {
        Ring ring = Ring.open(options, calls);
        boolean opened = false;
        try {
            FiberLoop loop = new FiberLoop(ring);
            opened = true;
            return loop;
        } finally {
            if (!opened) {
                ring.close();
            }
        }
    }

    /**
     * Waits on something else than the ring from now on: for tests that say who goes on, on storages that need no ring.
     *
     * @param host what to wait on
     */
    public void waitOn(Host host) {
        played = host;
    }

    /**
     * Leaves the calling fiber for a span of time.
     *
     * @param nanos nanoseconds, 0 or more
     * @return false if the caller runs on no fiber; no time has passed then
     */
    public static boolean pause(long nanos) {
        Fiber fiber = Fiber.current();
        if (fiber == null) {
            return false;
        }
        long result = fiber.await(token -> fiber.loop().ring.timeout(nanos, token));
        if (result != -TIME_IS_UP && !fiber.loop().hasFailed()) {
            throw new IllegalStateException("a timeout completed with " + result);
        }
        return true;
    }

    /**
     * Why loops cannot be had here.
     *
     * @return a line for people, or empty if they can
     */
    public static Optional<String> refusal() {
        String coroutine = Coroutine.refusal();
        return coroutine != null
                ? Optional.of(coroutine)
                : Ring.probe().map(refused -> String.valueOf(refused.getMessage()));
    }

    /**
     * Lets the loop work on a file.
     *
     * @param fd an open descriptor; stays known to the ring until the loop is closed
     * @return the file, for this loop's fibers and {@link #transfers}
     * @throws IOException if the kernel refuses
     */
    public LoopFile file(int fd) throws IOException {
        return new LoopFile(this, requests, ring.files().register(fd));
    }

    /**
     * The way for transfers that need no fiber, because nothing follows from them but their end.
     *
     * @param receiver takes their results, on the loop's thread, inside {@link #turn}; it may begin others
     * @return the way; for the loop's thread alone
     */
    public PlainTransfers transfers(PlainTransfers.Receiver receiver) {
        return new PlainTransfers(this, ring, receiver);
    }

    /**
     * Allocates memory for transfers, registered with the kernel if its limits allow, which spares it work for each of them.
     *
     * @param bytes how much, more than zero
     * @return zeroed memory at a page's start, good until the loop is closed
     * @throws IOException if the kernel refuses for a reason that has nothing to do with limits
     */
    public MemorySegment allocate(long bytes) throws IOException {
        return ring.buffers().allocate(bytes);
    }

    /**
     * Puts a descriptor into the ring's table.
     *
     * @param fd an open descriptor; stays known to the ring until the loop is closed
     * @return what requests of {@link #sockets} name
     * @throws IOException if the kernel refuses
     */
    public RingDescriptor register(int fd) throws IOException {
        return ring.files().register(fd);
    }

    /**
     * Requests on sockets that go out with the loop's turns, beside those of files.
     *
     * @param receiver takes their completions, on the loop's thread, during a turn and on no fiber
     * @return what prepares them
     */
    public SocketRequests sockets(Completions receiver) {
        return new SocketRequests(ring, receiver);
    }

    /** The loop's fiber that runs on the calling thread, or null if none of this loop's does. */
    @SuppressWarnings("ReferenceEquality") // A loop is itself only.
    @Nullable
    Fiber currentFiber() {
        Fiber fiber = Fiber.current();
        return fiber != null && fiber.loop() == this ? fiber : null;
    }

    /**
     * Leaves the calling fiber until something has happened.
     *
     * @param register is given what wakes the fiber, to be run once, by any thread; answers false if it keeps it not, because there is
     *     nothing to wait for any more
     * @return false if the caller runs on no fiber; nothing was done then
     */
    public static boolean leaveUntil(Predicate<Runnable> register) {
        Fiber fiber = Fiber.current();
        if (fiber == null) {
            return false;
        }
        fiber.awaitWake(register);
        return true;
    }

    /**
     * Whether the calling thread has something to go on with now, if the fiber that it runs is left.
     *
     * @return false if there is nothing, also where a test says who goes on, and if the caller runs on no fiber
     */
    public static boolean othersCanGoOn() {
        Fiber fiber = Fiber.current();
        return fiber != null && fiber.loop().hasMore();
    }

    private boolean hasMore() {
        return played == null && !(ready.isEmpty() && begun.isEmpty() && woken.isEmpty());
    }

    /**
     * Runs work on a fiber at once, up to where it first has to wait. If the caller runs on a fiber itself, the work begins when that one
     * has been left, in the order of the calls.
     *
     * @param work must not throw
     */
    public void begin(Runnable work) {
        busy++;
        if (currentFiber() == null) {
            start(work);
        } else {
            begun.add(work);
        }
    }

    private void start(Runnable work) {
        Fiber fiber = idle.poll();
        if (fiber == null) {
            fiber = new Fiber(this, place, fibers.size());
            fibers.add(fiber);
        }
        fiber.begin(work);
    }

    /** Called by a fiber whose work is done. */
    void idle(Fiber fiber) {
        busy--;
        idle.add(fiber);
    }

    void transferBegan() {
        transfers++;
    }

    void transferEnded() {
        transfers--;
    }

    /**
     * Pieces of work and transfers that have begun and not ended.
     *
     * @return how many
     */
    public int busy() {
        return busy + transfers;
    }

    /**
     * One turn: brings back who can go on, and lets them.
     *
     * @param least how many results to wait for, if nobody can go on; where fewer are in flight, those. Where pieces of work are under way it
     *     waits for one: each may have a next step to take.
     */
    public void turn(int least) {
        takeWoken();
        Host host = played;
        if (host != null) {
            if (nobodyCanGoOn()) {
                host.pass(least > 0 && busy() > 0);
                takeWoken();
            }
        } else if (failure.why() == null) {
            try {
                turnRing(least);
            } catch (IOException e) {
                fail(e);
            }
        }
        if (hasFailed()) {
            // What ended just now may be all that the caller waits for.
            boolean news = failure.takeBack(completions);
            if (!news && least > 0 && busy > 0 && nobodyCanGoOn()) {
                awaitWoken();
            }
        }
        mountAll();
    }

    private boolean nobodyCanGoOn() {
        return ready.isEmpty() && begun.isEmpty();
    }

    private void turnRing(int least) throws IOException {
        if (nobodyCanGoOn()) {
            int awaited = awaited(least);
            if (awaited > 0 && busy > 0 && !listening) {
                // Before the look at who was woken, so that whoever comes after it presses to some effect.
                listening = true;
                doorbell.listen(DOORBELL);
            }
            takeWoken();
            ring.submitAndWait(ready.isEmpty() ? awaited : 0, completions);
            takeWoken();
        } else {
            // Who can go on goes on first: what it asks of the ring goes out with the same call.
            mountAll();
            ring.submitAndWait(0, completions);
        }
    }

    /**
     * Says that the ring has failed, which only who prepares requests beside the fibers can know. The next turn takes all back.
     *
     * @param why what the kernel answered
     */
    public void fail(IOException why) {
        failure.is(why);
    }

    /**
     * Why the ring is no more.
     *
     * @return what the kernel answered, or empty while all is well
     */
    public Optional<IOException> failure() {
        return Optional.ofNullable(failure.why());
    }

    boolean hasFailed() {
        return failure.why() != null;
    }

    /** Without a ring, and its doorbell, there are only fibers that other threads wake. */
    private void awaitWoken() {
        boolean interrupted = false;
        while (woken.isEmpty()) {
            LockSupport.park(this);
            interrupted |= Thread.interrupted();
        }
        if (interrupted) {
            owner.interrupt();
        }
        takeWoken();
    }

    int resultOf(int result) {
        return failure.resultOf(result);
    }

    /** How many results a turn may wait for: whoever waits for the doorbell alone waits for ever. */
    private int awaited(int least) {
        if (busy > 0) {
            return Math.min(least, 1);
        }
        return Math.min(least, ring.inFlight() - (listening ? 1 : 0));
    }

    private void mountAll() {
        while (true) {
            Fiber fiber = ready.poll();
            if (fiber != null) {
                fiber.mount();
                continue;
            }
            Runnable work = begun.poll();
            if (work == null) {
                return;
            }
            start(work);
        }
    }

    private void completed(long token, int result, int flags) {
        if (token == DOORBELL) {
            listening = false;
            return;
        }
        Fiber fiber = fibers.get((int) token);
        fiber.completed(resultOf(result), failure.tookBack(result));
        ready.add(fiber);
    }

    private void takeWoken() {
        // The flag first: who adds after this look presses again.
        pressed.set(false);
        for (Fiber fiber = woken.poll(); fiber != null; fiber = woken.poll()) {
            ready.add(fiber);
        }
    }

    /** Lets a fiber go on that left to wait for a signal. Any thread may call it. */
    @SuppressWarnings("ReferenceEquality") // A thread is itself only.
    void wake(Fiber fiber) {
        if (Thread.currentThread() == owner) {
            ready.add(fiber);
            return;
        }
        woken.add(fiber);
        if (failure.why() != null) {
            LockSupport.unpark(owner);
            return;
        }
        if (pressed.compareAndSet(false, true)) {
            Host host = played;
            if (host != null) {
                host.press();
                return;
            }
            try {
                doorbell.press();
            } catch (IOException e) {
                throw new IllegalStateException("cannot wake a queue: " + e.getMessage(), e);
            }
        }
    }

    /**
     * Gives the ring back.
     *
     * @throws IllegalStateException if work is under way
     * @throws IOException if the host fails
     */
    @Override
    public void close() throws IOException {
        if (busy() > 0) {
            throw new IllegalStateException(busy() + " requests are under way");
        }
        try {
            ring.close();
        } catch (IOException e) {
            // All that the ring can still have is the doorbell's request.
            failure.is(e);
            failure.takeBack(completions);
            ring.close();
        }
    }
}
