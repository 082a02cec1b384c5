package dev.cowherd.nbd;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The replies on their way to a client: headers and data lie one after the other in one native buffer, which leaves in one
 * call of the host. The disk reads straight into it. Used by one thread, the one that opened it.
 *
 * <p>The buffer starts small and grows, up to {@link #MAX_BYTES}, when a reply needs it. Whoever has promised something in it
 * is called before it leaves.
 */
final class Outbound implements AutoCloseable {
    static final int INITIAL_BYTES = 256 << 10;
    /** What one reply may take; longer reads leave in pieces. */
    static final int MAX_BYTES = (2 << 20) + 4096;

    /** Where replies go. */
    interface Sink {
        /** Takes all bytes from position to limit before it returns. */
        void send(ByteBuffer bytes) throws IOException;
    }

    private final Sink sink;
    /** Where the first byte lies. */
    private final int origin;

    private @Nullable Arena arena;
    private MemorySegment segment;
    private ByteBuffer buffer;
    private Consumer<ByteBuffer> beforeSending = outgoing -> {};

    /** With a buffer that grows. */
    Outbound(Sink sink) {
        this.sink = sink;
        this.origin = 0;
        this.arena = Arena.ofConfined();
        this.segment = arena.allocate(INITIAL_BYTES, 4096);
        this.buffer = segment.asByteBuffer().order(ByteOrder.BIG_ENDIAN);
    }

    /** In memory of the caller's, which does not grow. */
    Outbound(Sink sink, MemorySegment memory, int origin) {
        this.sink = sink;
        this.origin = origin;
        this.segment = memory;
        this.buffer = memory.asByteBuffer().order(ByteOrder.BIG_ENDIAN).position(origin);
    }

    /** Has the outgoing bytes shown to someone, who may change them in place, each time before they leave. */
    void beforeSending(Consumer<ByteBuffer> reviewer) {
        beforeSending = reviewer;
    }

    /** Sees to it that so many bytes can be put with no further call of the host. */
    void reserve(int bytes) throws IOException {
        if (buffer.remaining() >= bytes) {
            return;
        }
        flush();
        if (buffer.capacity() < bytes) {
            grow(bytes);
        }
    }

    /** Where to put the next bytes: reserved first, big-endian, by its position. */
    ByteBuffer bytes() {
        return buffer;
    }

    /** The native memory of reserved bytes, which begin so many bytes after the next one to put. */
    MemorySegment ahead(int skip, int length) {
        return segment.asSlice((long) buffer.position() + skip, length);
    }

    /** Counts bytes as put that were written through {@link #ahead}. */
    void skip(int bytes) {
        buffer.position(buffer.position() + bytes);
    }

    /** Bytes that wait to be sent. */
    int pendingBytes() {
        return buffer.position() - origin;
    }

    /** The bytes that wait, in place. */
    MemorySegment pending() {
        return segment.asSlice(origin, buffer.position() - origin);
    }

    /** Forgets what waits. */
    void reset() {
        buffer.clear().position(origin);
    }

    /** Sends all that waits; returns when the host has taken it. */
    void flush() throws IOException {
        if (buffer.position() == origin) {
            return;
        }
        beforeSending.accept(buffer);
        buffer.flip().position(origin);
        sink.send(buffer);
        reset();
    }

    private void grow(int bytes) {
        if (bytes > MAX_BYTES || arena == null) {
            throw new IllegalArgumentException("a reply of " + bytes + " bytes in one piece");
        }
        int size = Math.min(MAX_BYTES, Math.max(bytes, buffer.capacity() * 2));
        arena.close();
        arena = Arena.ofConfined();
        segment = arena.allocate(size, 4096);
        buffer = segment.asByteBuffer().order(ByteOrder.BIG_ENDIAN);
    }

    @Override
    public void close() {
        if (arena != null) {
            arena.close();
            arena = null;
        }
    }
}
