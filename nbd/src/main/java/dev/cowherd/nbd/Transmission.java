package dev.cowherd.nbd;

import java.io.IOException;
import java.net.ProtocolException;
import java.nio.ByteBuffer;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;

/**
 * The second part of a connection: requests in, replies out, in the order they came ("Transmission phase").
 *
 * <p>All requests that have arrived are taken with one read of the socket, their replies gathered, and sent with one write
 * when no whole request is left or {@link #BATCH_BYTES} have been moved for them: large enough that calls of the host are few,
 * small enough that the client works on the first replies while the next are made. Replies that promise durability wait until
 * no whole request is left, because one flush serves all of them.
 */
final class Transmission {
    /** Replies leave when so many bytes have been read and written for them. */
    static final int BATCH_BYTES = 32 << 10;

    private final Inbound in;
    private final Outbound out;
    private final Negotiation.Session session;
    private final long exportBytes;
    private final Replies replies;
    private final Writes writes;
    private final Debt debt;
    private final BooleanSupplier stopping;

    Transmission(
            Inbound in,
            Outbound out,
            Negotiation.Session session,
            Writes.Terms terms,
            Consumer<String> log,
            BooleanSupplier stopping) {
        this.in = in;
        this.out = out;
        this.session = session;
        this.exportBytes = terms.exportBytes();
        DiskRequests disk = new DiskRequests(session.queue(), log);
        this.replies = session.structured() ? new StructuredReplies(out, disk) : new SimpleReplies(out, disk);
        this.debt = new Debt(disk);
        this.writes = new Writes(in, out, replies, disk, debt, terms);
        this.stopping = stopping;
    }

    /** Serves until the client says goodbye, leaves, breaks the protocol, or the server stops. */
    void run() throws IOException {
        out.beforeSending(debt::settle);
        try (writes) {
            serve();
            out.flush();
        }
    }

    private void serve() throws IOException {
        long written = 0;
        while (!stopping.getAsBoolean()) {
            if (!in.has(Protocol.REQUEST_BYTES)) {
                out.flush();
                written = 0;
                if (!in.await(Protocol.REQUEST_BYTES)) {
                    return;
                }
            } else if (out.pendingBytes() + written >= BATCH_BYTES && debt.isEmpty()) {
                out.flush();
                written = 0;
            }
            if (!serveOne()) {
                return;
            }
            written += writes.takeBytesWritten();
        }
    }

    /** False for the client's goodbye. */
    private boolean serveOne() throws IOException {
        ByteBuffer request = in.bytes();
        int magic = request.getInt();
        int flags = Short.toUnsignedInt(request.getShort());
        int command = Short.toUnsignedInt(request.getShort());
        long cookie = request.getLong();
        long offset = request.getLong();
        long length = Integer.toUnsignedLong(request.getInt());
        if (magic != Protocol.REQUEST_MAGIC) {
            throw new ProtocolException("wrong magic 0x%x before a request".formatted(magic));
        }
        switch (command) {
            case Protocol.CMD_READ -> read(flags, cookie, offset, length);
            case Protocol.CMD_BLOCK_STATUS -> blockStatus(flags, cookie, offset, length);
            case Protocol.CMD_DISC -> {
                return false;
            }
            case Protocol.CMD_WRITE -> writes.write(flags, cookie, offset, length);
            case Protocol.CMD_FLUSH -> writes.flush(flags, cookie, offset, length);
            case Protocol.CMD_TRIM -> writes.trim(flags, cookie, offset, length);
            case Protocol.CMD_WRITE_ZEROES -> writes.writeZeroes(flags, cookie, offset, length);
            default -> replies.error(cookie, Protocol.EINVAL, "command " + command + " is unknown here");
        }
        return true;
    }

    private void read(int flags, long cookie, long offset, long length) throws IOException {
        int allowed = session.structured() ? Protocol.CMD_FLAG_DF : 0;
        if (refused(flags, allowed, cookie, offset, length)) {
            return;
        }
        if (length > Protocol.MAX_REQUEST_BYTES) {
            replies.error(cookie, Protocol.EINVAL, "more than " + Protocol.MAX_REQUEST_BYTES + " bytes at once");
            return;
        }
        replies.read(cookie, offset, (int) length, (flags & Protocol.CMD_FLAG_DF) != 0);
    }

    private void blockStatus(int flags, long cookie, long offset, long length) throws IOException {
        if (!session.baseAllocation()) {
            replies.error(cookie, Protocol.EINVAL, "no metadata context was agreed");
        } else if (length == 0) {
            replies.error(cookie, Protocol.EINVAL, "a block status request for no bytes");
        } else if (!refused(flags, Protocol.CMD_FLAG_REQ_ONE, cookie, offset, length)) {
            replies.blockStatus(cookie, offset, length, (flags & Protocol.CMD_FLAG_REQ_ONE) != 0);
        }
    }

    private boolean refused(int flags, int allowedFlags, long cookie, long offset, long length) throws IOException {
        // FUA means nothing to what changes nothing, and goes where it is offered.
        int allowed = session.writable() ? allowedFlags | Protocol.CMD_FLAG_FUA : allowedFlags;
        if ((flags & ~allowed) != 0) {
            replies.error(cookie, Protocol.EINVAL, "flags 0x%x do not belong to this command".formatted(flags));
        } else if (offset < 0 || length > exportBytes - offset) {
            replies.error(cookie, Protocol.EINVAL, "the range reaches past the export's " + exportBytes + " bytes");
        } else {
            return false;
        }
        return true;
    }
}
