package dev.cowherd.image;

import dev.cowherd.metadata.Signal;
import dev.cowherd.metadata.Waits;
import dev.cowherd.storage.fiber.FiberLoop;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.function.LongFunction;
import org.jspecify.annotations.Nullable;

/**
 * Any thread's way to a disk's bytes without waiting: each request answers a future. A thread of the queue's own carries them, many at a
 * time with the ring engine, one after the other with the sync engine. It sleeps while there is nothing to do.
 *
 * <p>Thread-safe. A future completes on the queue's thread, with {@code null} or with what {@link DiskQueue}'s method would have thrown.
 * What depends on it runs there as well, unless it was added by an {@code Async} method, and keeps the queue from its work meanwhile; it may
 * ask for more, but must not wait for it. Requests that touch the same bytes and are under way at once come in any order.
 *
 * <p>At most {@code depth} requests are under way; those that come while there are as many wait, in order. One that waits can be cancelled.
 * One that is under way cannot, because the host may be using its memory: {@link CompletableFuture#cancel} answers false.
 *
 * {@snippet :
 * try (FutureQueue queue = disk.openFutureQueue(32)) {
 *     CompletableFuture<Void> written = queue.write(0, source).thenCompose(done -> queue.flush());
 * }
 * }
 */
public final class FutureQueue implements AutoCloseable {
    private final Disk disk;
    private final int depth;
    private final Thread thread;
    private final CompletableFuture<Void> opened = new CompletableFuture<>();
    /** Requests that have not begun, and whether more may come. */
    private final Object lock = new Object();

    private final ArrayDeque<Pending> waiting = new ArrayDeque<>();
    private boolean closed;

    /** Fired when the queue's thread has something to look at; a new one is there before it looks. */
    private volatile Signal news = new Signal();

    /** The rest belongs to the queue's thread. Requests under way by their tokens. */
    private final List<@Nullable Pending> underWay = new ArrayList<>();

    private final ArrayDeque<Integer> freeTokens = new ArrayDeque<>();
    private boolean listening = true;
    private volatile @Nullable IOException closeFailure;

    private FutureQueue(Disk disk, int depth) {
        this.disk = disk;
        this.depth = depth;
        for (int token = 0; token < depth; token++) {
            underWay.add(null);
            freeTokens.add(token);
        }
        this.thread = Thread.ofPlatform().name("cowherd-future-queue").unstarted(this::run);
    }

    static FutureQueue open(Disk disk, int depth) throws IOException {
        RequestQueue.requireDepth(depth);
        FutureQueue queue = new FutureQueue(disk, depth);
        queue.thread.start();
        try {
            queue.opened.get();
            return queue;
        } catch (InterruptedException e) {
            queue.close();
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while a queue was opened", e);
        } catch (ExecutionException e) {
            switch (e.getCause()) {
                case IOException failure -> throw failure;
                case RuntimeException failure -> throw failure;
                case null, default -> throw new IOException("a queue could not be opened", e.getCause());
            }
        }
    }

    /** A request and its answer. */
    private final class Pending extends CompletableFuture<Void> {
        final LongFunction<Request> request;

        Pending(LongFunction<Request> request) {
            this.request = request;
        }

        @Override
        public boolean cancel(boolean mayInterruptIfRunning) {
            synchronized (lock) {
                if (!waiting.remove(this)) {
                    return isCancelled();
                }
            }
            return super.cancel(mayInterruptIfRunning);
        }
    }

    /**
     * {@link DiskQueue#read(long, MemorySegment)}.
     *
     * @param offset guest offset in bytes
     * @param destination open, accessible to any thread, and the queue's until the future has completed
     * @return completes when the destination is filled
     */
    public CompletableFuture<Void> read(long offset, MemorySegment destination) {
        return ask(token -> new Request.Read(token, offset, destination));
    }

    /**
     * {@link DiskQueue#write(long, MemorySegment)}.
     *
     * @param offset guest offset in bytes
     * @param source open, accessible to any thread, and unchanged until the future has completed
     * @return completes when later requests see the bytes
     */
    public CompletableFuture<Void> write(long offset, MemorySegment source) {
        return ask(token -> new Request.Write(token, offset, source));
    }

    /**
     * {@link DiskQueue#writeZeroes}.
     *
     * @param offset guest offset in bytes
     * @param length bytes
     * @param mode what may become of the host's space
     * @return completes when later requests see the zeros
     */
    public CompletableFuture<Void> writeZeroes(long offset, long length, ZeroMode mode) {
        return ask(token -> new Request.WriteZeroes(token, offset, length, mode));
    }

    /**
     * {@link DiskQueue#discard}.
     *
     * @param offset guest offset in bytes
     * @param length bytes
     * @return completes when it is done
     */
    public CompletableFuture<Void> discard(long offset, long length) {
        return ask(token -> new Request.Discard(token, offset, length));
    }

    /**
     * {@link DiskQueue#flush}: covers every request whose future had completed before the call.
     *
     * @return completes when they are durable
     */
    public CompletableFuture<Void> flush() {
        return ask(Request.Flush::new);
    }

    private CompletableFuture<Void> ask(LongFunction<Request> request) {
        Pending pending = new Pending(request);
        synchronized (lock) {
            if (closed) {
                return CompletableFuture.failedFuture(new IllegalStateException("the queue is closed"));
            }
            waiting.add(pending);
        }
        news.fire();
        return pending;
    }

    private void run() {
        Closing closing = new Closing();
        try {
            FiberLoop loop = RequestQueue.loop(disk, depth);
            try {
                RequestQueue queue = loop == null ? disk.openRequestQueue(depth) : disk.openRequestQueue(depth, loop);
                try {
                    opened.complete(null);
                    serve(queue, loop);
                } finally {
                    closing.run(queue::close);
                }
            } finally {
                if (loop != null) {
                    stopListening(loop);
                    closing.run(loop::close);
                }
            }
            closing.finish();
        } catch (IOException | RuntimeException | Error e) {
            failAll(e);
        }
    }

    private void serve(RequestQueue queue, @Nullable FiberLoop loop) throws IOException {
        if (loop != null) {
            loop.begin(this::listen);
        }
        while (true) {
            Signal now = news;
            if (!beginWaiting(queue) && queue.inFlight() == 0) {
                return;
            }
            if (loop != null) {
                // What needed nothing of the host has completed already.
                loop.turn(queue.take(this::ended) > 0 ? 0 : 1);
                queue.take(this::ended);
            } else if (queue.inFlight() > 0) {
                queue.poll(this::ended);
            } else {
                now.await(Waits.PARK);
                news = new Signal();
            }
        }
    }

    /** On a fiber: lets turns of the loop end when there is news. */
    private void listen() {
        while (listening) {
            Signal now = news;
            FiberLoop.leaveUntil(now::whenFired);
            news = new Signal();
        }
    }

    private void stopListening(FiberLoop loop) throws IOException {
        listening = false;
        news.fire();
        while (loop.busy() > 0) {
            loop.turn(1);
        }
    }

    /** Begins what there is room for; answers whether more may come. */
    private boolean beginWaiting(RequestQueue queue) {
        while (!freeTokens.isEmpty()) {
            Pending next;
            synchronized (lock) {
                next = waiting.poll();
                if (next == null) {
                    return !closed;
                }
            }
            int token = freeTokens.remove();
            underWay.set(token, next);
            queue.submit(next.request.apply(token));
        }
        return true;
    }

    private void ended(long token, @Nullable Throwable failure) {
        Pending pending = underWay.set((int) token, null);
        freeTokens.add((int) token);
        if (pending == null) {
            throw new IllegalStateException("request " + token + " is not under way");
        }
        if (failure == null) {
            pending.complete(null);
        } else {
            pending.completeExceptionally(failure);
        }
    }

    /** The thread ends, and nothing is left that would ever complete. */
    private void failAll(Throwable failure) {
        List<Pending> left;
        synchronized (lock) {
            closed = true;
            left = new ArrayList<>(waiting);
            waiting.clear();
        }
        for (Pending pending : underWay) {
            if (pending != null) {
                left.add(pending);
            }
        }
        closeFailure = failure instanceof IOException known ? known : new IOException("the queue failed", failure);
        opened.completeExceptionally(failure);
        left.forEach(pending -> pending.completeExceptionally(failure));
    }

    /**
     * Takes no more requests, lets all that were asked for complete, and gives thread, handles and memory back. Does nothing the second
     * time but wait.
     *
     * @throws IOException if the host reports an error on close, or the queue's engine had failed
     * @throws IllegalStateException on the queue's own thread, which cannot wait for itself
     */
    @Override
    public void close() throws IOException {
        if (Thread.currentThread().equals(thread)) {
            throw new IllegalStateException("a queue cannot wait for itself: close it, or its disk, on another thread");
        }
        synchronized (lock) {
            closed = true;
        }
        news.fire();
        boolean interrupted = false;
        while (true) {
            try {
                thread.join();
                break;
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        disk.forget(this);
        IOException failure = closeFailure;
        if (failure != null) {
            throw new IOException(failure.getMessage(), failure);
        }
    }
}
