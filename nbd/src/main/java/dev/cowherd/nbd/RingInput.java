package dev.cowherd.nbd;

import dev.cowherd.storage.fiber.FiberLoop;
import dev.cowherd.storage.ring.RingDescriptor;
import dev.cowherd.storage.ring.SocketRequests;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;
import org.jspecify.annotations.Nullable;

/**
 * What a client sends, for a fiber, which leaves until bytes are there. How they are waited for is the loop's thread to say: by the ring,
 * beside whatever else it waits for, or, if there is nothing else, by a plain read, which costs less. Used by one thread.
 */
final class RingInput implements ReadableByteChannel {
    private final ReadableByteChannel channel;
    private final RingDescriptor socket;
    private final SocketRequests requests;
    /** What the fiber wants filled. */
    private @Nullable ByteBuffer wanted;

    private boolean receiving;
    private @Nullable Runnable goOn;
    private int received;
    private @Nullable IOException failure;

    RingInput(FiberLoop loop, ReadableByteChannel channel, RingDescriptor socket) {
        this.channel = channel;
        this.socket = socket;
        this.requests = loop.sockets(this::completed);
    }

    /** Called on the fiber. */
    @Override
    public int read(ByteBuffer destination) throws IOException {
        wanted = destination;
        FiberLoop.leaveUntil(this::waitsFor);
        IOException failed = failure;
        if (failed != null) {
            throw failed;
        }
        return received;
    }

    private boolean waitsFor(Runnable wake) {
        goOn = wake;
        return true;
    }

    /** Whether the fiber waits for bytes and nobody has asked for them. */
    boolean isWanted() {
        return wanted != null && !receiving;
    }

    /** Has the ring receive what is wanted. */
    void receive() throws IOException {
        ByteBuffer to = wanted;
        if (to == null) {
            throw new IllegalStateException("nobody wants bytes");
        }
        requests.receive(socket, MemorySegment.ofBuffer(to), false, 0);
        receiving = true;
    }

    /** Waits, with the thread, for what is wanted. */
    void readNow() {
        ByteBuffer to = wanted;
        if (to == null) {
            throw new IllegalStateException("nobody wants bytes");
        }
        try {
            received = channel.read(to);
        } catch (IOException e) {
            failure = e;
        }
        hand();
    }

    /** No bytes will come any more. */
    void end(IOException why) {
        failure = why;
        hand();
    }

    private void completed(long token, int result, int flags) {
        ByteBuffer to = wanted;
        receiving = false;
        if (to == null) {
            throw new IllegalStateException("bytes came that nobody waits for");
        }
        if (result < 0) {
            failure = new IOException("the client is gone: errno " + -result);
        } else {
            to.position(to.position() + result);
            received = result == 0 ? -1 : result;
        }
        hand();
    }

    private void hand() {
        Runnable wake = goOn;
        wanted = null;
        goOn = null;
        if (wake != null) {
            wake.run();
        }
    }

    @Override
    public boolean isOpen() {
        return true;
    }

    @Override
    public void close() {}
}
