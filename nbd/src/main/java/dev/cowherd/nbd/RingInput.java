package dev.cowherd.nbd;

import dev.cowherd.storage.fiber.FiberLoop;
import dev.cowherd.storage.ring.RingDescriptor;
import dev.cowherd.storage.ring.SocketRequests;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;
import org.jspecify.annotations.Nullable;

/** What a client sends, received by the ring: who reads leaves the fiber until bytes are there. Used by one fiber of one loop. */
final class RingInput implements ReadableByteChannel {
    private final RingDescriptor socket;
    private final SocketRequests requests;
    private @Nullable Runnable wake;
    private int received;

    RingInput(FiberLoop loop, RingDescriptor socket) {
        this.socket = socket;
        this.requests = loop.sockets(this::completed);
    }

    @Override
    public int read(ByteBuffer destination) throws IOException {
        requests.receive(socket, MemorySegment.ofBuffer(destination), false, 0);
        FiberLoop.leaveUntil(this::waitsFor);
        if (received < 0) {
            throw new IOException("the client is gone: errno " + -received);
        }
        destination.position(destination.position() + received);
        return received == 0 ? -1 : received;
    }

    private boolean waitsFor(Runnable goOn) {
        wake = goOn;
        return true;
    }

    private void completed(long token, int result, int flags) {
        Runnable reader = wake;
        if (reader == null) {
            throw new IllegalStateException("bytes came that nobody waits for");
        }
        wake = null;
        received = result;
        reader.run();
    }

    @Override
    public boolean isOpen() {
        return true;
    }

    @Override
    public void close() {}
}
