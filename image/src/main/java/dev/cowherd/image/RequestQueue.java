package dev.cowherd.image;

import dev.cowherd.metadata.LayerHandles;
import dev.cowherd.storage.Storage;
import dev.cowherd.storage.fiber.FiberLoop;
import dev.cowherd.storage.fiber.PlainTransfers;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * One thread's way to a disk's bytes without waiting for each request: requests are submitted, many are in flight, and completions come
 * in any order, each once.
 *
 * <p>With the ring engine all of a request waits off the thread: its tables' loads, its reads of every layer, its writes, its flush, and
 * the requests of other queues that it must let go first. What is submitted between two polls goes to the kernel in one call. With the
 * sync engine a request is done when {@link #submit} returns.
 *
 * <p>If the ring fails, requests in flight complete, if need be with an I/O error, and so do all that follow: close the queue and open another.
 *
 * <p>Belongs to the thread that opened it. Requests get on while that thread is in {@link #submit}, {@link #poll} or
 * {@link #await}, or turns the loop that the queue was opened on, so whoever pauses, resizes or closes the disk on another thread waits until it is.
 * If the thread has queues of other depths on the same disk, open the disk with {@link Engine#RING} or {@link Engine#SYNC}: by {@link Engine#AUTO}
 * one of them may make system calls, and wait with the thread for a request of another one that only this thread can bring on.
 */
public final class RequestQueue implements AutoCloseable {
    /** The most requests in flight. */
    public static final int MAX_DEPTH = 1024;

    /** Takes completions. */
    @FunctionalInterface
    public interface Handler {
        /**
         * A request has completed.
         *
         * @param token the request's
         * @param failure null if it was done; else what {@link DiskQueue}'s method would have thrown
         */
        void completed(long token, @Nullable Throwable failure);
    }

    private record Completed(long token, @Nullable Throwable failure) {}

    /** One request at a time. */
    private static final class Lane {
        final DiskQueue queue;
        final @Nullable ShortWay shortWay;
        /** What is under way by the short way. */
        @Nullable
        Request request;

        /** Of that request, if somebody records. */
        @Nullable
        RequestEvent event;

        Lane(DiskQueue queue, @Nullable ShortWay shortWay) {
            this.queue = queue;
            this.shortWay = shortWay;
        }
    }

    private static final long PAGE_BYTES = 4096;

    private final Thread owner = Thread.currentThread();
    private final Disk disk;
    private final int depth;
    private final @Nullable FiberLoop loop;
    private final Arena arena = Arena.ofShared();
    private final List<LayerHandles> handles;
    private final LaneShare share;
    private final @Nullable PlainTransfers transfers;
    private final List<Lane> lanes = new ArrayList<>();
    private final ArrayDeque<Lane> idleLanes = new ArrayDeque<>();
    private final ArrayDeque<Completed> completed = new ArrayDeque<>();
    private final boolean ownsLoop;
    private int inFlight;
    /** Of those in flight, how many have not completed. */
    private int underWay;

    private long shortWays;
    private boolean closed;

    private RequestQueue(Disk disk, int depth, @Nullable FiberLoop loop, boolean ownsLoop, List<LayerHandles> handles) {
        this.disk = disk;
        this.depth = depth;
        this.loop = loop;
        this.ownsLoop = ownsLoop;
        this.handles = handles;
        this.share = LaneShare.of(disk, handles, arena, depth, loop);
        this.transfers = loop == null ? null : loop.transfers(this::transferred);
    }

    static RequestQueue open(Disk disk, int depth) throws IOException {
        requireDepth(depth);
        FiberLoop loop = loop(disk, depth);
        boolean opened = false;
        try {
            List<LayerHandles> handles =
                    disk.reopenLayers(loop == null ? Storage::reopen : shared -> shared.reopenFor(loop));
            RequestQueue queue = new RequestQueue(disk, depth, loop, true, handles);
            opened = true;
            queue.openLanes();
            return queue;
        } finally {
            if (!opened && loop != null) {
                loop.close();
            }
        }
    }

    /** A queue whose requests get on with the turns of a loop that is the caller's. */
    static RequestQueue open(Disk disk, int depth, FiberLoop loop) throws IOException {
        requireDepth(depth);
        if (disk.options().engine() == Engine.SYNC) {
            throw new IllegalArgumentException("a disk of the sync engine has no queues on a loop");
        }
        List<LayerHandles> handles = disk.reopenLayers(shared -> shared.reopenFor(loop));
        RequestQueue queue = new RequestQueue(disk, depth, loop, false, handles);
        queue.openLanes();
        return queue;
    }

    static void requireDepth(int depth) {
        if (depth < 1 || depth > MAX_DEPTH) {
            throw new IllegalArgumentException("a depth of " + depth + ": it is between 1 and " + MAX_DEPTH);
        }
    }

    /**
     * All of them at once: later, with requests in flight, whoever drains the disk could be waiting for those, and this thread for
     * them.
     */
    private void openLanes() throws IOException {
        boolean complete = false;
        try {
            // By system calls one request is under way at a time.
            for (int i = 0; i < (loop == null ? 1 : depth); i++) {
                DiskQueue queue = disk.openLane(() -> DiskQueue.lane(disk, handles, share));
                Lane lane = new Lane(queue, transfers == null ? null : new ShortWay(queue, transfers, i));
                lanes.add(lane);
                idleLanes.add(lane);
            }
            complete = true;
        } finally {
            if (!complete) {
                close();
            }
        }
    }

    static @Nullable FiberLoop loop(Disk disk, int depth) throws IOException {
        return disk.queueEngine(depth) == Engine.RING ? FiberLoop.open(depth + Branches.MOST_OF_A_REQUEST) : null;
    }

    /**
     * Which engine moves the bytes.
     *
     * @return {@link Engine#RING} or {@link Engine#SYNC}
     */
    public Engine engine() {
        return loop == null ? Engine.SYNC : Engine.RING;
    }

    /**
     * Allocates memory for requests: with the ring engine, memory that the kernel knows already where its limits allow that, so that it has
     * less to do for each transfer. Requests take any other memory as well.
     *
     * @param bytes how much, more than zero
     * @return zeroed memory at a page's start, good until the queue is closed
     * @throws IOException if the kernel refuses
     */
    public MemorySegment allocate(long bytes) throws IOException {
        requireMine();
        return loop == null ? arena.allocate(bytes, PAGE_BYTES) : loop.allocate(bytes);
    }

    /**
     * Begins a request. It completes in a later {@link #poll} or {@link #await}, also if it fails.
     *
     * @param request what to do
     * @throws IllegalStateException if as many requests are in flight as the queue is deep, or the queue is closed
     */
    public void submit(Request request) {
        requireMine();
        if (inFlight == depth) {
            throw new IllegalStateException(depth + " requests are in flight, as many as the queue takes; poll first");
        }
        Lane lane = idleLanes.remove();
        inFlight++;
        underWay++;
        if (lane.shortWay != null && lane.shortWay.begin(request)) {
            lane.request = request;
            lane.event = RequestEvent.start();
            shortWays++;
        } else {
            perform(request, lane);
        }
    }

    /** The long way: on a fiber, where there are any. */
    private void perform(Request request, Lane lane) {
        if (loop == null) {
            performNow(request, lane);
        } else {
            loop.begin(() -> performNow(request, lane));
        }
    }

    private void performNow(Request request, Lane lane) {
        DiskQueue queue = lane.queue;
        Throwable failure = null;
        try {
            switch (request) {
                case Request.Read read -> queue.read(read.offset(), read.destination());
                case Request.Write write -> queue.write(write.offset(), write.source());
                case Request.WriteZeroes zeroes -> queue.writeZeroes(zeroes.offset(), zeroes.length(), zeroes.mode());
                case Request.Discard discard -> queue.discard(discard.offset(), discard.length());
                case Request.Flush _ -> queue.flush();
                case Request.Work work -> work.task().run(queue);
            }
        } catch (IOException | RuntimeException | Error e) {
            failure = e;
        }
        complete(request, lane, failure);
    }

    /** A transfer of the short way has ended. */
    private void transferred(long token, int result) {
        Lane lane = lanes.get((int) token);
        Request request = Objects.requireNonNull(lane.request);
        lane.request = null;
        RequestEvent event = lane.event;
        lane.event = null;
        Throwable failure = null;
        try {
            if (!Objects.requireNonNull(lane.shortWay).end(result)) {
                perform(request, lane);
                return;
            }
        } catch (IOException e) {
            failure = e;
        }
        if (event != null) {
            switch (request) {
                case Request.Read read ->
                    event.finish("read", read.offset(), read.destination().byteSize());
                case Request.Write write ->
                    event.finish("write", write.offset(), write.source().byteSize());
                case Request.WriteZeroes _, Request.Discard _, Request.Flush _, Request.Work _ ->
                    throw new IllegalStateException("no short way for " + request);
            }
        }
        complete(request, lane, failure);
    }

    private void complete(Request request, Lane lane, @Nullable Throwable failure) {
        idleLanes.push(lane);
        underWay--;
        completed.add(new Completed(request.token(), failure));
    }

    /**
     * Requests that were submitted and whose completions have not been handed over.
     *
     * @return how many
     */
    public int inFlight() {
        return inFlight;
    }

    /**
     * Hands over the completions there are, without waiting for more.
     *
     * @param handler takes each; it may submit requests
     * @return how many there were
     * @throws IOException never by these engines: if a ring fails, its requests do, and those that follow
     */
    public int poll(Handler handler) throws IOException {
        return await(0, handler);
    }

    /**
     * Waits for completions and hands over all there are.
     *
     * @param least how many to wait for; where fewer requests are in flight, those
     * @param handler takes each; it may submit requests
     * @return how many there were
     * @throws IOException never by these engines: if a ring fails, its requests do, and those that follow
     */
    public int await(int least, Handler handler) throws IOException {
        requireMine();
        int wanted = Math.min(least, inFlight);
        if (loop != null && underWay > 0) {
            do {
                loop.turn(Math.max(0, wanted - completed.size()));
            } while (completed.size() < wanted);
        }
        return take(handler);
    }

    /**
     * Hands over the completions there are, without a turn of the loop: for who turns the loop themselves.
     *
     * @param handler takes each; it may submit requests
     * @return how many there were
     */
    public int take(Handler handler) {
        requireMine();
        // Those that the handler's own requests bring are for the next time.
        int count = completed.size();
        for (int i = 0; i < count; i++) {
            Completed next = completed.remove();
            inFlight--;
            handler.completed(next.token, next.failure);
        }
        return count;
    }

    /** Requests that went past the fibers so far. */
    long shortWays() {
        return shortWays;
    }

    boolean isMine() {
        return Thread.currentThread().equals(owner);
    }

    /** Lets all requests in flight complete; their completions wait for the next poll. */
    void settle() {
        while (loop != null && underWay > 0) {
            loop.turn(1);
        }
    }

    /**
     * Lets the requests in flight complete, drops their completions, and gives handles and memory back. Does nothing the second time.
     *
     * @throws IOException if the host reports an error on close; everything is given back all the same
     */
    @Override
    public void close() throws IOException {
        if (closed) {
            return;
        }
        requireMine();
        closed = true;
        settle();
        disk.forget(this);
        Closing closing = new Closing();
        lanes.forEach(lane -> closing.run(lane.queue::close));
        closing.run(share.clusters()::close);
        Handles.close(handles, closing);
        if (loop != null && ownsLoop) {
            closing.run(loop::close);
        }
        arena.close();
        closing.finish();
    }

    private void requireMine() {
        if (!isMine()) {
            throw new WrongThreadException("a request queue of thread " + owner.getName() + " was used by thread "
                    + Thread.currentThread().getName());
        }
        if (closed) {
            throw new IllegalStateException("the queue is closed");
        }
    }
}
