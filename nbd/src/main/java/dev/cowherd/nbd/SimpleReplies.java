package dev.cowherd.nbd;

import java.io.IOException;
import java.lang.foreign.MemorySegment;

/** Simple replies: an error number, then, for a read that went well, its bytes ("Simple reply message"). */
final class SimpleReplies implements Replies {
    private final Outbound out;

    SimpleReplies(Outbound out) {
        this.out = out;
    }

    @Override
    public void read(DiskRequests disk, long cookie, long offset, int length, boolean dontFragment) throws IOException {
        int piece = Math.min(length, Protocol.PIECE_BYTES);
        out.reserve(Protocol.SIMPLE_REPLY_BYTES + piece);
        int error = disk.read(offset, plainData(piece));
        plainDone(cookie, offset, piece, error);
        if (error != 0) {
            return;
        }
        int done = piece;
        while (done < length) {
            piece = Math.min(length - done, Protocol.PIECE_BYTES);
            out.reserve(piece);
            if (disk.read(offset + done, out.ahead(0, piece)) != 0) {
                // Success was promised with the first piece: the protocol has no way left but to hang up.
                throw new IOException("a read failed after its reply had begun");
            }
            out.skip(piece);
            done += piece;
        }
    }

    @Override
    public boolean isPlain(int length, boolean dontFragment) {
        return length <= Protocol.PIECE_BYTES;
    }

    @Override
    public MemorySegment plainData(int length) {
        return out.ahead(Protocol.SIMPLE_REPLY_BYTES, length);
    }

    @Override
    public void plainDone(long cookie, long offset, int length, int error) {
        Replies.simple(out, cookie, error);
        if (error == 0) {
            out.skip(length);
        }
    }

    @Override
    public void blockStatus(DiskRequests disk, long cookie, long offset, long length, boolean one) throws IOException {
        error(cookie, Protocol.EINVAL, "block status needs structured replies");
    }

    @Override
    public void error(long cookie, int error, String message) throws IOException {
        out.reserve(Protocol.SIMPLE_REPLY_BYTES);
        Replies.simple(out, cookie, error);
    }
}
