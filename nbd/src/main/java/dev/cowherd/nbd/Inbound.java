package dev.cowherd.nbd;

import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ReadableByteChannel;

/**
 * The bytes a client sent: each call of the host takes all that has arrived, so a client that sends 32 requests in a row, small
 * writes with their bytes included, costs one read, not 32. Used by one thread.
 */
final class Inbound {
    /** Room for more than 32 writes of 4 KiB. */
    static final int BYTES = 256 << 10;

    /** What is done before the host is asked for bytes, which may not come before. */
    interface BeforeWaiting {
        void run() throws IOException;
    }

    private ReadableByteChannel channel;
    private BeforeWaiting beforeWaiting = () -> {};
    private final MemorySegment segment;
    /** Unread bytes lie from position to limit. */
    private final ByteBuffer buffer;

    Inbound(ReadableByteChannel channel) {
        this.channel = channel;
        // Never freed by hand: nobody need know whether the kernel still has a request on it.
        this.segment = Arena.ofAuto().allocate(BYTES, 4096);
        this.buffer = segment.asByteBuffer().order(ByteOrder.BIG_ENDIAN).limit(0);
    }

    /** Has the bytes that are still to come brought another way. */
    void continueFrom(ReadableByteChannel next) {
        channel = next;
    }

    /** Has something done each time before the host is asked for bytes. */
    void beforeWaiting(BeforeWaiting action) {
        beforeWaiting = action;
    }

    /** Whether that many bytes are here already, with no call of the host. */
    boolean has(int bytes) {
        return buffer.remaining() >= bytes;
    }

    /**
     * Waits for that many bytes.
     *
     * @return false if the client closed its side before the first of them
     * @throws EOFException if it closed its side after some of them
     */
    boolean await(int bytes) throws IOException {
        if (buffer.remaining() < bytes && buffer.position() + bytes > BYTES / 2) {
            // Part of a message: a small copy that makes room for many more in the next call.
            buffer.compact().flip();
        }
        while (buffer.remaining() < bytes) {
            if (fill() < 0) {
                if (buffer.hasRemaining()) {
                    throw new EOFException("the client left inside a message");
                }
                return false;
            }
        }
        return true;
    }

    /** Waits for that many bytes, which must come. */
    void require(int bytes) throws IOException {
        if (!await(bytes)) {
            throw new EOFException("the client left inside a message");
        }
    }

    /** The unread bytes; the caller moves the position past what it used. */
    ByteBuffer bytes() {
        return buffer;
    }

    /** Takes that many bytes, which must be here; the memory is theirs until the next bytes are waited for. */
    MemorySegment take(int bytes) {
        MemorySegment taken = segment.asSlice(buffer.position(), bytes);
        buffer.position(buffer.position() + bytes);
        return taken;
    }

    /** Fills native memory with the next bytes, those that are still to come without a copy on the way. */
    void receive(MemorySegment destination) throws IOException {
        int here = (int) Math.min(buffer.remaining(), destination.byteSize());
        MemorySegment.copy(take(here), 0, destination, 0, here);
        ByteBuffer rest = destination.asSlice(here).asByteBuffer();
        while (rest.hasRemaining()) {
            beforeWaiting.run();
            if (channel.read(rest) < 0) {
                throw new EOFException("the client left inside a message");
            }
        }
    }

    /** Reads that many bytes and forgets them. */
    void skip(long bytes) throws IOException {
        long left = bytes;
        while (left > 0) {
            int step = (int) Math.min(left, BYTES);
            if (!buffer.hasRemaining()) {
                require(1);
            }
            step = Math.min(step, buffer.remaining());
            buffer.position(buffer.position() + step);
            left -= step;
        }
    }

    private int fill() throws IOException {
        beforeWaiting.run();
        if (!buffer.hasRemaining()) {
            buffer.clear().limit(0);
        }
        int end = buffer.limit();
        int start = buffer.position();
        buffer.limit(buffer.capacity()).position(end);
        int count = -1;
        try {
            count = channel.read(buffer);
        } finally {
            buffer.position(start).limit(end + Math.max(count, 0));
        }
        return count;
    }
}
