package dev.cowherd.storage.ring;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * Prepares requests on stream sockets. The rules for threads and buffers are those of {@link FileRequests}. A broken
 * connection answers {@code -EPIPE} and raises no signal.
 */
public final class SocketRequests {
    private static final int IO_PRIORITY_SHIFT = 16;

    private final Ring ring;
    private final @Nullable Completions receiver;

    /**
     * Prepares requests on one ring, whose completions go to the one who makes the turn.
     *
     * @param ring where they go
     */
    public SocketRequests(Ring ring) {
        this.ring = ring;
        this.receiver = null;
    }

    /**
     * Prepares requests on one ring, whose completions find their receiver whoever makes the turn.
     *
     * @param ring where they go
     * @param receiver takes their completions
     */
    public SocketRequests(Ring ring, Completions receiver) {
        this.ring = ring;
        this.receiver = receiver;
    }

    /**
     * Prepares taking a connection. Whoever handles the completion owns the descriptor that it brings, also on
     * {@link Ring#close(Completions)}.
     *
     * @param listener a socket that listens
     * @param again whether to complete for each connection anew, with {@link Completions#MORE}, until cancelled
     * @param token comes back with the completion, the result a descriptor (closed on exec) or minus errno
     * @return the request
     * @throws IOException if the kernel takes no more requests
     */
    public long accept(RingDescriptor listener, boolean again, long token) throws IOException {
        long priority = again ? Uapi.ACCEPT_MULTISHOT << IO_PRIORITY_SHIFT : 0;
        long flags = (long) Uapi.SOCK_CLOEXEC << Integer.SIZE;
        return ring.add(Uapi.OP_ACCEPT | priority | listener.bits, 0, 0, flags, 0, token, null, receiver);
    }

    /**
     * Prepares receiving.
     *
     * @param socket a connection
     * @param destination a native segment, filled from its start
     * @param whole whether to complete only when the segment is full, or the connection ends or fails
     * @param token comes back with the completion, the result bytes, 0 where the peer sends no more, or minus errno
     * @return the request
     * @throws IOException if the kernel takes no more requests
     */
    public long receive(RingDescriptor socket, MemorySegment destination, boolean whole, long token)
            throws IOException {
        ring.requireUsable(destination, true);
        return transfer(Uapi.OP_RECV, socket, destination, whole ? Uapi.MSG_WAITALL : 0, token);
    }

    /**
     * Prepares sending all of a buffer; what a completion says short of that, a broken connection has cut.
     *
     * @param socket a connection
     * @param source a native segment
     * @param token comes back with the completion, the result bytes or minus errno
     * @return the request
     * @throws IOException if the kernel takes no more requests
     */
    public long send(RingDescriptor socket, MemorySegment source, long token) throws IOException {
        ring.requireUsable(source, false);
        return transfer(Uapi.OP_SEND, socket, source, Uapi.MSG_NOSIGNAL | Uapi.MSG_WAITALL, token);
    }

    private long transfer(int operation, RingDescriptor socket, MemorySegment buffer, long flags, long token)
            throws IOException {
        long lengthAndFlags = buffer.byteSize() | flags << Integer.SIZE;
        return ring.add(operation | socket.bits, 0, buffer.address(), lengthAndFlags, 0, token, buffer, receiver);
    }

    /**
     * Prepares receiving into several buffers, in order.
     *
     * @param socket a connection
     * @param destinations native segments; the array may be used anew at once
     * @param count how many of them, 1 to 1024
     * @param whole whether to complete only when all are full, or the connection ends or fails
     * @param token comes back with the completion, the result bytes, 0 where the peer sends no more, or minus errno
     * @return the request
     * @throws IOException if the kernel takes no more requests
     */
    public long receivev(RingDescriptor socket, MemorySegment[] destinations, int count, boolean whole, long token)
            throws IOException {
        return message(Uapi.OP_RECVMSG, socket, destinations, count, whole ? Uapi.MSG_WAITALL : 0, token);
    }

    /**
     * Prepares sending several buffers in order, as one: a header and its payload, say.
     *
     * @param socket a connection
     * @param sources native segments; the array may be used anew at once
     * @param count how many of them, 1 to 1024
     * @param token comes back with the completion, the result bytes or minus errno
     * @return the request
     * @throws IOException if the kernel takes no more requests
     */
    public long sendv(RingDescriptor socket, MemorySegment[] sources, int count, long token) throws IOException {
        return message(Uapi.OP_SENDMSG, socket, sources, count, Uapi.MSG_NOSIGNAL | Uapi.MSG_WAITALL, token);
    }

    private long message(
            int operation, RingDescriptor socket, MemorySegment[] buffers, int count, long flags, long token)
            throws IOException {
        long header = ring.arguments().message(buffers, count, operation == Uapi.OP_RECVMSG);
        long request =
                ring.add(operation | socket.bits, 0, header, 1 | flags << Integer.SIZE, 0, token, null, receiver);
        ring.hold(request, buffers, count);
        return request;
    }

    /**
     * Prepares ending one or both directions of a connection.
     *
     * @param socket a connection
     * @param how 0 no more receiving, 1 no more sending, 2 both
     * @param token comes back with the completion, the result 0 or minus errno
     * @return the request
     * @throws IOException if the kernel takes no more requests
     */
    public long shutdown(RingDescriptor socket, int how, long token) throws IOException {
        return ring.add(Uapi.OP_SHUTDOWN | socket.bits, 0, 0, how, 0, token, null, receiver);
    }
}
