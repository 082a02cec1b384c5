package dev.cowherd.proof;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskQueue;
import dev.cowherd.image.Engine;
import dev.cowherd.image.Request;
import dev.cowherd.image.RequestQueue;
import dev.cowherd.image.ZeroMode;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/** Who asks a disk for one thing after the other, by either engine, so that a case is written once. Belongs to one thread. */
abstract sealed class Guest implements AutoCloseable {
    /** Of the ring engine: the request at hand, and two that are left behind. */
    private static final int DEPTH = 3;

    static Guest of(Engine engine, Disk disk) throws IOException {
        return engine == Engine.RING ? new OnRing(disk) : new ByCalls(disk);
    }

    /** Has a request done; fails as it does. */
    abstract void perform(Request request) throws IOException;

    /** Begins a request that is not waited for. */
    abstract Pending begin(Request request) throws IOException;

    /** Has the requests that were begun get on until something is true. */
    abstract void getOnUntil(BooleanSupplier happened) throws IOException;

    @Override
    public abstract void close() throws IOException;

    /** A request that was begun. */
    interface Pending {
        /** Waits for its end; fails as it does. */
        void await() throws IOException;
    }

    final void read(long offset, MemorySegment destination) throws IOException {
        perform(new Request.Read(0, offset, destination));
    }

    final void write(long offset, MemorySegment source) throws IOException {
        perform(new Request.Write(0, offset, source));
    }

    final void writeZeroes(long offset, long length, ZeroMode mode) throws IOException {
        perform(new Request.WriteZeroes(0, offset, length, mode));
    }

    final void discard(long offset, long length) throws IOException {
        perform(new Request.Discard(0, offset, length));
    }

    final void flush() throws IOException {
        perform(new Request.Flush(0));
    }

    /** Has a queue do what is asked. */
    static void perform(DiskQueue queue, Request request) throws IOException {
        switch (request) {
            case Request.Read read -> queue.read(read.offset(), read.destination());
            case Request.Write write -> queue.write(write.offset(), write.source());
            case Request.WriteZeroes zeroes -> queue.writeZeroes(zeroes.offset(), zeroes.length(), zeroes.mode());
            case Request.Discard discard -> queue.discard(discard.offset(), discard.length());
            case Request.Flush _ -> queue.flush();
            case Request.Work work -> work.task().run(queue);
        }
    }

    private static void rethrow(@Nullable Throwable failure) throws IOException {
        switch (failure) {
            case null -> {}
            case IOException e -> throw e;
            case RuntimeException e -> throw e;
            case Error e -> throw e;
            default -> throw new AssertionError("a request ended with " + failure, failure);
        }
    }

    /** The sync engine: a queue, and a thread and a queue more for what is left behind. */
    private static final class ByCalls extends Guest {
        private final Disk disk;
        private final DiskQueue queue;

        ByCalls(Disk disk) throws IOException {
            this.disk = disk;
            this.queue = disk.openQueue();
        }

        @Override
        void perform(Request request) throws IOException {
            perform(queue, request);
        }

        @Override
        Pending begin(Request request) {
            CompletableFuture<Void> ended = new CompletableFuture<>();
            Thread.ofPlatform().start(() -> {
                // Opened here: that waits too where the disk stands still.
                try (DiskQueue own = disk.openQueue()) {
                    perform(own, request);
                    ended.complete(null);
                } catch (IOException | RuntimeException | Error e) {
                    ended.completeExceptionally(e);
                }
            });
            return () -> {
                try {
                    ended.get(20, TimeUnit.SECONDS);
                } catch (ExecutionException e) {
                    rethrow(e.getCause());
                } catch (InterruptedException | TimeoutException e) {
                    throw new AssertionError("a request has not ended", e);
                }
            };
        }

        @Override
        void getOnUntil(BooleanSupplier happened) {
            while (!happened.getAsBoolean()) {
                Thread.onSpinWait();
            }
        }

        @Override
        public void close() throws IOException {
            queue.close();
        }
    }

    /** The ring engine: the request queue of the thread, each request on it where the engine puts it. */
    private static final class OnRing extends Guest {
        private final RequestQueue queue;
        private final List<Pended> pending = new ArrayList<>();

        OnRing(Disk disk) throws IOException {
            queue = disk.openRequestQueue(DEPTH);
            assertThat(queue.engine()).isEqualTo(Engine.RING);
        }

        private final class Pended implements Pending {
            final Request request;
            boolean ended;

            @Nullable
            Throwable failure;

            Pended(Request request) {
                this.request = request;
            }

            @Override
            public void await() throws IOException {
                while (!ended) {
                    queue.await(1, OnRing.this::completed);
                }
                rethrow(failure);
            }
        }

        private void completed(long token, @Nullable Throwable failure) {
            Pended one = pending.get((int) token);
            one.ended = true;
            one.failure = failure;
        }

        @Override
        void perform(Request request) throws IOException {
            begin(request).await();
            if (queue.inFlight() == 0) {
                pending.clear();
            }
        }

        @Override
        Pending begin(Request request) {
            Pended one = new Pended(RequestLoad.withToken(request, pending.size()));
            pending.add(one);
            queue.submit(one.request);
            return one;
        }

        @Override
        void getOnUntil(BooleanSupplier happened) throws IOException {
            while (!happened.getAsBoolean()) {
                queue.poll(this::completed);
            }
        }

        @Override
        public void close() throws IOException {
            queue.close();
        }
    }
}
