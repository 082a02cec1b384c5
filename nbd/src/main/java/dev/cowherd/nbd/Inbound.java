package dev.cowherd.nbd;

import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ReadableByteChannel;

/**
 * The bytes a client sent: each call of the host takes all that has arrived, so a client that sends 32 requests in a row
 * costs one read, not 32. Used by one thread.
 */
final class Inbound {
    static final int BYTES = 64 << 10;

    private final ReadableByteChannel channel;
    /** Unread bytes lie from position to limit. */
    private final ByteBuffer buffer;

    Inbound(ReadableByteChannel channel, Arena arena) {
        this.channel = channel;
        this.buffer = arena.allocate(BYTES, 4096)
                .asByteBuffer()
                .order(ByteOrder.BIG_ENDIAN)
                .limit(0);
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
        if (buffer.remaining() < bytes && buffer.position() + bytes > buffer.capacity()) {
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
