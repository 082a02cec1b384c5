package dev.cowherd.image;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * Who asks a disk for one thing after the other, by either engine, so that a case is written once. Belongs to one thread. Bytes are in
 * memory outside the heap: else no request would go the ring's short way.
 */
abstract sealed class Client implements AutoCloseable {
    static Client of(Engine engine, Disk disk) throws IOException {
        return engine == Engine.RING ? new OnRing(disk) : new ByCalls(disk);
    }

    /** Begins a request; with the sync engine it has ended then. */
    abstract void begin(Request request) throws IOException;

    /** Waits for the end of what was begun; fails as it does. */
    abstract void await() throws IOException;

    @Override
    public abstract void close() throws IOException;

    final void perform(Request request) throws IOException {
        begin(request);
        await();
    }

    final void read(long offset, ByteBuffer destination) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment bytes = arena.allocate(destination.remaining());
            perform(new Request.Read(0, offset, bytes));
            MemorySegment.ofBuffer(destination).copyFrom(bytes);
        }
    }

    final void write(long offset, ByteBuffer source) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment bytes = arena.allocate(source.remaining());
            perform(new Request.Write(0, offset, bytes.copyFrom(MemorySegment.ofBuffer(source))));
        }
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

    private static final class ByCalls extends Client {
        private final DiskQueue queue;

        ByCalls(Disk disk) throws IOException {
            queue = disk.openQueue();
        }

        @Override
        void begin(Request request) throws IOException {
            switch (request) {
                case Request.Read read -> queue.read(read.offset(), read.destination());
                case Request.Write write -> queue.write(write.offset(), write.source());
                case Request.WriteZeroes zeroes -> queue.writeZeroes(zeroes.offset(), zeroes.length(), zeroes.mode());
                case Request.Discard discard -> queue.discard(discard.offset(), discard.length());
                case Request.Flush _ -> queue.flush();
                case Request.Work work -> work.task().run(queue);
            }
        }

        @Override
        void await() {}

        @Override
        public void close() throws IOException {
            queue.close();
        }
    }

    private static final class OnRing extends Client {
        private final RequestQueue queue;

        @Nullable
        private Throwable failed;

        OnRing(Disk disk) throws IOException {
            // One more than is ever in flight: for one at a time a disk that may choose takes system calls.
            queue = disk.openRequestQueue(2);
            assertThat(queue.engine()).isEqualTo(Engine.RING);
        }

        @Override
        void begin(Request request) {
            queue.submit(request);
        }

        @Override
        void await() throws IOException {
            failed = null;
            queue.await(1, (_, failure) -> failed = failure);
            switch (failed) {
                case null -> {}
                case IOException e -> throw e;
                case RuntimeException e -> throw e;
                case Error e -> throw e;
                default -> throw new AssertionError("a request ended with " + failed, failed);
            }
        }

        @Override
        public void close() throws IOException {
            queue.close();
        }
    }
}
