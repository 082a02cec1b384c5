package dev.cowherd.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskQueue;
import dev.cowherd.image.Engine;
import dev.cowherd.image.Request;
import dev.cowherd.image.RequestQueue;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** One thread's reads of a disk, by either engine; with the ring engine several are in flight. */
abstract sealed class Reads implements AutoCloseable {
    /** The most reads in flight; so many buffers a caller needs. */
    static final int DEPTH = 3;

    /** Both engines, for what each of them reads. */
    static final List<Engine> ENGINES = List.of(Engine.SYNC, Engine.RING);

    static Reads of(Engine engine, Disk disk) throws IOException {
        return engine == Engine.RING ? new OnRing(disk) : new ByCalls(disk);
    }

    /** The engine of a run, or of one of several threads: they take turns. */
    static Engine engineOf(long number) {
        return ENGINES.get((int) (number % ENGINES.size()));
    }

    /** What is done with bytes that were read. */
    interface Seen {
        void by();
    }

    /** Begins a read; waits for another one where as many are in flight as may be. Fails as one of them did. */
    abstract void begin(int buffer, long offset, MemorySegment destination, Seen seen) throws IOException;

    /** Waits until a buffer is no longer read to. */
    abstract void await(int buffer) throws IOException;

    /** Has a read done; fails as it does. */
    final void read(long offset, MemorySegment destination) throws IOException {
        begin(0, offset, destination, () -> {});
        await(0);
    }

    /** Waits for all that was begun. */
    final void finish() throws IOException {
        for (int i = 0; i < DEPTH; i++) {
            await(i);
        }
    }

    @Override
    public abstract void close() throws IOException;

    private static final class ByCalls extends Reads {
        private final DiskQueue queue;

        ByCalls(Disk disk) throws IOException {
            queue = disk.openQueue();
        }

        @Override
        void begin(int buffer, long offset, MemorySegment destination, Seen seen) throws IOException {
            queue.read(offset, destination);
            seen.by();
        }

        @Override
        void await(int buffer) {}

        @Override
        public void close() throws IOException {
            queue.close();
        }
    }

    private static final class OnRing extends Reads {
        private final RequestQueue queue;
        private final @Nullable Seen[] underWay = new Seen[DEPTH];

        OnRing(Disk disk) throws IOException {
            queue = disk.openRequestQueue(DEPTH);
            assertThat(queue.engine()).isEqualTo(Engine.RING);
        }

        @Override
        void begin(int buffer, long offset, MemorySegment destination, Seen seen) throws IOException {
            await(buffer);
            underWay[buffer] = seen;
            queue.submit(new Request.Read(buffer, offset, destination));
        }

        @Override
        void await(int buffer) throws IOException {
            while (underWay[buffer] != null) {
                Throwable[] failed = new Throwable[1];
                queue.await(1, (token, failure) -> {
                    Seen seen = underWay[(int) token];
                    underWay[(int) token] = null;
                    if (failure != null) {
                        failed[0] = failure;
                    } else if (seen != null) {
                        seen.by();
                    }
                });
                rethrow(failed[0]);
            }
        }

        private static void rethrow(@Nullable Throwable failure) throws IOException {
            switch (failure) {
                case null -> {}
                case IOException e -> throw e;
                case RuntimeException e -> throw e;
                case Error e -> throw e;
                default -> throw new AssertionError("a read ended with " + failure, failure);
            }
        }

        @Override
        public void close() throws IOException {
            queue.close();
        }
    }
}
