package dev.cowherd.nbd;

import java.io.IOException;

/** Simple replies: an error number, then, for a read that went well, its bytes ("Simple reply message"). */
final class SimpleReplies implements Replies {
    private final Outbound out;
    private final DiskRequests disk;

    SimpleReplies(Outbound out, DiskRequests disk) {
        this.out = out;
        this.disk = disk;
    }

    @Override
    public void read(long cookie, long offset, int length, boolean dontFragment) throws IOException {
        int piece = Math.min(length, PIECE_BYTES);
        out.reserve(Protocol.SIMPLE_REPLY_BYTES + piece);
        int error = disk.read(offset, out.ahead(Protocol.SIMPLE_REPLY_BYTES, piece));
        header(cookie, error);
        if (error != 0) {
            return;
        }
        out.skip(piece);
        int done = piece;
        while (done < length) {
            piece = Math.min(length - done, PIECE_BYTES);
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
    public void blockStatus(long cookie, long offset, long length, boolean one) throws IOException {
        error(cookie, Protocol.EINVAL, "block status needs structured replies");
    }

    @Override
    public void error(long cookie, int error, String message) throws IOException {
        out.reserve(Protocol.SIMPLE_REPLY_BYTES);
        header(cookie, error);
    }

    private void header(long cookie, int error) {
        out.bytes().putInt(Protocol.SIMPLE_REPLY_MAGIC).putInt(error).putLong(cookie);
    }
}
