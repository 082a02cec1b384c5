package dev.cowherd.nbd;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.ProtocolException;

/**
 * The commands that change the export, and flush ("Request types"). A payload goes to the disk from where it arrived: from the
 * buffer of requests, or, if it is too long for that, from one of its own. What is refused is taken off the wire all the same.
 *
 * <p>Flushes and writes that must be durable (FUA) are answered at once and paid for together before the answers leave.
 * Successes are simple replies, also to clients that have asked for structured ones, as the protocol allows. Used by one
 * thread.
 */
final class Writes implements AutoCloseable {
    /** How much of a long payload is received before it is written; no cluster is larger. */
    static final int PIECE_BYTES = 2 << 20;
    /** Payloads up to this lie in the buffer of requests. */
    static final int SHORT_BYTES = Inbound.BYTES / 2;

    private final Inbound in;
    private final Outbound out;
    private final Replies replies;
    private final DiskRequests disk;
    private final Debt debt;
    private final Terms terms;
    private final Arena arena = Arena.ofConfined();
    private MemorySegment longPayload = MemorySegment.NULL;
    private long bytesSinceSent;

    /**
     * What may be done to the export.
     *
     * @param exportBytes its size
     * @param writable whether it may be changed at all
     * @param discards whether trimming and zeroing may give space back
     * @param durable whether every change is durable when it is answered
     */
    record Terms(long exportBytes, boolean writable, boolean discards, boolean durable) {}

    Writes(Inbound in, Outbound out, Replies replies, DiskRequests disk, Debt debt, Terms terms) {
        this.in = in;
        this.out = out;
        this.replies = replies;
        this.disk = disk;
        this.debt = debt;
        this.terms = terms;
    }

    /** Bytes written since this was asked last. */
    long takeBytesWritten() {
        long bytes = bytesSinceSent;
        bytesSinceSent = 0;
        return bytes;
    }

    /** NBD_CMD_WRITE: the header has been read, the payload has not. */
    void write(int flags, long cookie, long offset, long length) throws IOException {
        if (length > Protocol.MAX_REQUEST_BYTES) {
            throw new ProtocolException("a write of " + length + " bytes");
        }
        int bytes = (int) length;
        if (!in.has(bytes)) {
            // The client may wait for answers before it sends the rest.
            out.flush();
        }
        if (refused(flags, Protocol.CMD_FLAG_FUA, cookie, offset, length, Protocol.ENOSPC)) {
            in.skip(length);
            return;
        }
        int error = 0;
        if (bytes > SHORT_BYTES) {
            error = writeLong(offset, bytes);
        } else if (bytes > 0) {
            in.require(bytes);
            error = disk.write(offset, in.take(bytes));
        }
        bytesSinceSent += bytes;
        done(flags, cookie, error, "write failed");
    }

    /** Pieces end where no cluster is cut, so that none is allocated for a part and then filled. */
    private int writeLong(long offset, int length) throws IOException {
        if (longPayload.byteSize() == 0) {
            longPayload = arena.allocate(PIECE_BYTES, 4096);
        }
        for (int done = 0; done < length; ) {
            long at = offset + done;
            int piece = (int) Math.min(length - done, PIECE_BYTES - at % PIECE_BYTES);
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

    /** NBD_CMD_WRITE_ZEROES. */
    void writeZeroes(int flags, long cookie, long offset, long length) throws IOException {
        int allowed = Protocol.CMD_FLAG_FUA | Protocol.CMD_FLAG_NO_HOLE | Protocol.CMD_FLAG_FAST_ZERO;
        if (refused(flags, allowed, cookie, offset, length, Protocol.ENOSPC)) {
            return;
        }
        boolean mayUnmap = terms.discards() && (flags & Protocol.CMD_FLAG_NO_HOLE) == 0;
        boolean onlyIfFast = (flags & Protocol.CMD_FLAG_FAST_ZERO) != 0;
        int error = length == 0 ? 0 : disk.writeZeroes(offset, length, mayUnmap, onlyIfFast);
        done(flags, cookie, error, error == Protocol.ENOTSUP ? "not faster than a write" : "write of zeros failed");
    }

    /** NBD_CMD_TRIM. */
    void trim(int flags, long cookie, long offset, long length) throws IOException {
        if (!refused(flags, Protocol.CMD_FLAG_FUA, cookie, offset, length, Protocol.EINVAL)) {
            int error = length == 0 || !terms.discards() ? 0 : disk.trim(offset, length);
            done(flags, cookie, error, "trim failed");
        }
    }

    /** NBD_CMD_FLUSH. */
    void flush(int flags, long cookie, long offset, long length) throws IOException {
        if (!terms.writable()) {
            replies.error(cookie, Protocol.EINVAL, "the export is read-only and offers no flush");
        } else if (offset != 0 || length != 0 || (flags & ~Protocol.CMD_FLAG_FUA) != 0) {
            replies.error(cookie, Protocol.EINVAL, "a flush has no range and no flags");
        } else {
            done(Protocol.CMD_FLAG_FUA, cookie, 0, "");
        }
    }

    private void done(int flags, long cookie, int error, String message) throws IOException {
        if (error != 0) {
            replies.error(cookie, error, message);
            return;
        }
        out.reserve(Protocol.SIMPLE_REPLY_BYTES);
        if (terms.durable() || (flags & Protocol.CMD_FLAG_FUA) != 0) {
            debt.add(out.pendingBytes());
        }
        out.bytes().putInt(Protocol.SIMPLE_REPLY_MAGIC).putInt(0).putLong(cookie);
    }

    private boolean refused(int flags, int allowedFlags, long cookie, long offset, long length, int pastTheEnd)
            throws IOException {
        if (!terms.writable()) {
            replies.error(cookie, Protocol.EPERM, "the export is read-only");
        } else if ((flags & ~allowedFlags) != 0) {
            replies.error(cookie, Protocol.EINVAL, "flags 0x%x do not belong to this command".formatted(flags));
        } else if (offset < 0 || length > terms.exportBytes() - offset) {
            replies.error(cookie, pastTheEnd, "the range reaches past the export's " + terms.exportBytes() + " bytes");
        } else {
            return false;
        }
        return true;
    }

    @Override
    public void close() {
        arena.close();
    }
}
