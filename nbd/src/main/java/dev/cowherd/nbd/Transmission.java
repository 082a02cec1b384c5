package dev.cowherd.nbd;

import java.io.IOException;
import java.net.ProtocolException;
import java.nio.ByteBuffer;
import java.util.function.BooleanSupplier;

/**
 * The second part of a connection: takes requests apart, refuses what breaks a rule, and has the rest done ("Transmission
 * phase", "Request types"). What is refused is taken off the wire all the same.
 */
final class Transmission {
    private final Inbound in;
    private final Performer performer;
    private final Terms terms;
    private final BooleanSupplier stopping;

    /**
     * What was agreed, and what may be done.
     *
     * @param exportBytes the export's size
     * @param writable whether it may be changed at all
     * @param discards whether trimming and zeroing may give space back
     * @param durable whether every change is durable when it is answered
     * @param structured whether replies are structured
     * @param baseAllocation whether the client may ask for block status
     */
    record Terms(
            long exportBytes,
            boolean writable,
            boolean discards,
            boolean durable,
            boolean structured,
            boolean baseAllocation) {}

    Transmission(Inbound in, Performer performer, Terms terms, BooleanSupplier stopping) {
        this.in = in;
        this.performer = performer;
        this.terms = terms;
        this.stopping = stopping;
    }

    /** Takes requests until the client says goodbye, leaves, breaks the protocol, or the server stops. */
    void run() throws IOException {
        while (in.await(Protocol.REQUEST_BYTES) && !stopping.getAsBoolean()) {
            performer.next();
            if (!takeOne()) {
                return;
            }
        }
    }

    /** False for the client's goodbye. */
    private boolean takeOne() throws IOException {
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
            case Protocol.CMD_WRITE -> write(flags, cookie, offset, length);
            case Protocol.CMD_FLUSH -> flush(flags, cookie, offset, length);
            case Protocol.CMD_TRIM -> trim(flags, cookie, offset, length);
            case Protocol.CMD_WRITE_ZEROES -> writeZeroes(flags, cookie, offset, length);
            default -> performer.error(cookie, Protocol.EINVAL, "command " + command + " is unknown here");
        }
        return true;
    }

    private void read(int flags, long cookie, long offset, long length) throws IOException {
        int allowed = terms.structured() ? Protocol.CMD_FLAG_DF : 0;
        if (refused(flags, allowed, cookie, offset, length)) {
            return;
        }
        if (length > Protocol.MAX_REQUEST_BYTES) {
            performer.error(cookie, Protocol.EINVAL, "more than " + Protocol.MAX_REQUEST_BYTES + " bytes at once");
            return;
        }
        performer.read(cookie, offset, (int) length, (flags & Protocol.CMD_FLAG_DF) != 0);
    }

    private void blockStatus(int flags, long cookie, long offset, long length) throws IOException {
        if (!terms.baseAllocation()) {
            performer.error(cookie, Protocol.EINVAL, "no metadata context was agreed");
        } else if (length == 0) {
            performer.error(cookie, Protocol.EINVAL, "a block status request for no bytes");
        } else if (!refused(flags, Protocol.CMD_FLAG_REQ_ONE, cookie, offset, length)) {
            performer.blockStatus(cookie, offset, length, (flags & Protocol.CMD_FLAG_REQ_ONE) != 0);
        }
    }

    private boolean refused(int flags, int allowedFlags, long cookie, long offset, long length) throws IOException {
        // FUA means nothing to what changes nothing, and goes where it is offered.
        int allowed = terms.writable() ? allowedFlags | Protocol.CMD_FLAG_FUA : allowedFlags;
        return refusedRange(flags, allowed, cookie, offset, length, Protocol.EINVAL);
    }

    private boolean refusedRange(int flags, int allowed, long cookie, long offset, long length, int pastTheEnd)
            throws IOException {
        if ((flags & ~allowed) != 0) {
            performer.error(cookie, Protocol.EINVAL, "flags 0x%x do not belong to this command".formatted(flags));
        } else if (offset < 0 || length > terms.exportBytes() - offset) {
            performer.error(
                    cookie, pastTheEnd, "the range reaches past the export's " + terms.exportBytes() + " bytes");
        } else {
            return false;
        }
        return true;
    }

    private boolean refusedChange(int flags, int allowed, long cookie, long offset, long length, int pastTheEnd)
            throws IOException {
        if (terms.writable()) {
            return refusedRange(flags, allowed, cookie, offset, length, pastTheEnd);
        }
        performer.error(cookie, Protocol.EPERM, "the export is read-only");
        return true;
    }

    private boolean durable(int flags) {
        return terms.durable() || (flags & Protocol.CMD_FLAG_FUA) != 0;
    }

    private void write(int flags, long cookie, long offset, long length) throws IOException {
        if (length > Protocol.MAX_REQUEST_BYTES) {
            throw new ProtocolException("a write of " + length + " bytes");
        }
        if (refusedChange(flags, Protocol.CMD_FLAG_FUA, cookie, offset, length, Protocol.ENOSPC)) {
            in.skip(length);
        } else if (length == 0) {
            performer.done(cookie, durable(flags));
        } else {
            performer.write(cookie, offset, (int) length, durable(flags));
        }
    }

    private void writeZeroes(int flags, long cookie, long offset, long length) throws IOException {
        int allowed = Protocol.CMD_FLAG_FUA | Protocol.CMD_FLAG_NO_HOLE | Protocol.CMD_FLAG_FAST_ZERO;
        if (refusedChange(flags, allowed, cookie, offset, length, Protocol.ENOSPC)) {
            return;
        }
        boolean mayUnmap = terms.discards() && (flags & Protocol.CMD_FLAG_NO_HOLE) == 0;
        boolean onlyIfFast = (flags & Protocol.CMD_FLAG_FAST_ZERO) != 0;
        if (length == 0) {
            performer.done(cookie, durable(flags));
        } else {
            performer.writeZeroes(cookie, offset, length, mayUnmap, onlyIfFast, durable(flags));
        }
    }

    private void trim(int flags, long cookie, long offset, long length) throws IOException {
        if (refusedChange(flags, Protocol.CMD_FLAG_FUA, cookie, offset, length, Protocol.EINVAL)) {
            return;
        }
        if (length == 0 || !terms.discards()) {
            performer.done(cookie, durable(flags));
        } else {
            performer.trim(cookie, offset, length, durable(flags));
        }
    }

    private void flush(int flags, long cookie, long offset, long length) throws IOException {
        if (!terms.writable()) {
            performer.error(cookie, Protocol.EINVAL, "the export is read-only and offers no flush");
        } else if (offset != 0 || length != 0 || (flags & ~Protocol.CMD_FLAG_FUA) != 0) {
            performer.error(cookie, Protocol.EINVAL, "a flush has no range and no flags");
        } else {
            performer.done(cookie, true);
        }
    }
}
