package dev.cowherd.nbd;

import java.io.IOException;
import java.util.function.Consumer;

/** Simple replies: an error number, then, for a read that went well, its bytes ("Simple reply message"). */
final class SimpleReplies implements Replies {
    private final Outbound out;
    private final DiskReads disk;

    SimpleReplies(Outbound out, Export.Queue queue, Consumer<String> log) {
        this.out = out;
        this.disk = new DiskReads(queue, log);
    }

    @Override
    public void read(long cookie, long offset, int length, boolean dontFragment) throws IOException {
        int piece = Math.min(length, PIECE_BYTES);
        out.reserve(Protocol.SIMPLE_REPLY_BYTES + piece);
        if (!disk.read(offset, out.ahead(Protocol.SIMPLE_REPLY_BYTES, piece))) {
            header(cookie, Protocol.EIO);
            return;
        }
        header(cookie, 0);
        out.skip(piece);
        int done = piece;
        while (done < length) {
            piece = Math.min(length - done, PIECE_BYTES);
            out.reserve(piece);
            if (!disk.read(offset + done, out.ahead(0, piece))) {
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
