package dev.cowherd.nbd;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * The sync engine: each request is done, on the connection's thread, before the next is looked at; replies leave in the order
 * requests came.
 *
 * <p>All requests that have arrived are taken with one read of the socket, their replies gathered, and sent with one write
 * when no whole request is left or {@link #BATCH_BYTES} have been moved for them: large enough that calls of the host are few,
 * small enough that the client works on the first replies while the next are made. Replies that promise durability wait until
 * no whole request is left, because one flush serves all of them.
 *
 * <p>A payload goes to the disk from where it arrived: from the buffer of requests, or, if it is too long for that, from one of its
 * own. Successes of changes are simple replies, also to clients that have asked for structured ones, as the protocol allows.
 */
final class InTurn implements Performer, AutoCloseable {
    /** Replies leave when so many bytes have been read and written for them. */
    static final int BATCH_BYTES = 32 << 10;

    private final Inbound in;
    private final Outbound out;
    private final Replies replies;
    private final DiskRequests disk;
    private final Debt debt;
    private final Arena arena = Arena.ofConfined();
    private MemorySegment longPayload = MemorySegment.NULL;
    /** Since replies were sent last. */
    private long bytesWritten;

    InTurn(Inbound in, Outbound out, Replies replies, DiskRequests disk) {
        this.in = in;
        this.out = out;
        this.replies = replies;
        this.disk = disk;
        this.debt = new Debt(disk);
    }

    /** Serves until there is nothing more to serve; all replies have left then. */
    void run(Transmission requests) throws IOException {
        out.beforeSending(debt::settle);
        // The client may wait for answers before it sends more.
        in.beforeWaiting(this::send);
        requests.run();
        send();
    }

    private void send() throws IOException {
        out.flush();
        bytesWritten = 0;
    }

    @Override
    public void next() throws IOException {
        if (out.pendingBytes() + bytesWritten >= BATCH_BYTES && debt.isEmpty()) {
            send();
        }
    }

    @Override
    public void read(long cookie, long offset, int length, boolean dontFragment) throws IOException {
        replies.read(disk, cookie, offset, length, dontFragment);
    }

    @Override
    public void blockStatus(long cookie, long offset, long length, boolean one) throws IOException {
        replies.blockStatus(disk, cookie, offset, length, one);
    }

    @Override
    public void write(long cookie, long offset, int length, boolean durable) throws IOException {
        int error;
        if (length > Protocol.SHORT_PAYLOAD_BYTES) {
            error = writeLong(offset, length);
        } else {
            in.require(length);
            error = disk.write(offset, in.take(length));
        }
        bytesWritten += length;
        answer(cookie, error, "write failed", durable);
    }

    /** Pieces end where no cluster is cut, so that none is allocated for a part and then filled. */
    private int writeLong(long offset, int length) throws IOException {
        if (longPayload.byteSize() == 0) {
            longPayload = arena.allocate(Protocol.PIECE_BYTES, 4096);
        }
        for (int done = 0; done < length; ) {
            long at = offset + done;
            int piece = Protocol.pieceAt(at, length - done);
            MemorySegment payload = longPayload.asSlice(0, piece);
            in.receive(payload);
            done += piece;
            int error = disk.write(at, payload);
            if (error != 0) {
                in.skip(length - done);
                return error;
            }
        }
        return 0;
    }

    @Override
    public void writeZeroes(
            long cookie, long offset, long length, boolean mayUnmap, boolean onlyIfFast, boolean durable)
            throws IOException {
        int error = disk.writeZeroes(offset, length, mayUnmap, onlyIfFast);
        answer(cookie, error, Replies.zeroesFailed(error), durable);
    }

    @Override
    public void trim(long cookie, long offset, long length, boolean durable) throws IOException {
        answer(cookie, disk.trim(offset, length), "trim failed", durable);
    }

    private void answer(long cookie, int error, String message, boolean durable) throws IOException {
        if (error != 0) {
            replies.error(cookie, error, message);
        } else {
            done(cookie, durable);
        }
    }

    @Override
    public void done(long cookie, boolean durable) throws IOException {
        out.reserve(Protocol.SIMPLE_REPLY_BYTES);
        if (durable) {
            debt.add(out.pendingBytes());
        }
        Replies.simple(out, cookie, 0);
    }

    @Override
    public void error(long cookie, int error, String message) throws IOException {
        replies.error(cookie, error, message);
    }

    @Override
    public void close() {
        arena.close();
    }
}
