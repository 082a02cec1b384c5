package dev.cowherd.nbd;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/**
 * Structured replies: an answer is one or more chunks, so that holes need no bytes and an error can be told in the middle
 * of a long read ("Structured reply chunk message").
 */
final class StructuredReplies implements Replies {
    /** Reads from here on are asked for holes first; below it the question costs more than the bytes. */
    private static final int SPARSE_READ_BYTES = 64 << 10;

    static final int DATA_HEADER_BYTES = Protocol.CHUNK_HEADER_BYTES + 8;
    private static final int HOLE_BYTES = Protocol.CHUNK_HEADER_BYTES + 12;
    /** The longest answer to a block status request. */
    static final int STATUS_BYTES = Protocol.CHUNK_HEADER_BYTES + 4 + 8 * Protocol.MAX_STATUS_RUNS;

    private final Outbound out;

    StructuredReplies(Outbound out) {
        this.out = out;
    }

    @Override
    public void read(DiskRequests disk, long cookie, long offset, int length, boolean dontFragment) throws IOException {
        if (length == 0) {
            out.reserve(Protocol.CHUNK_HEADER_BYTES);
            header(Protocol.CHUNK_FLAG_DONE, Protocol.CHUNK_NONE, cookie, 0);
        } else if (isPlain(length, dontFragment)) {
            readData(disk, cookie, offset, length, true);
        } else if (dontFragment) {
            readAsOneChunk(disk, cookie, offset, length);
        } else {
            readSparse(disk, cookie, offset, length);
        }
    }

    @Override
    public boolean isPlain(int length, boolean dontFragment) {
        return length > 0 && length <= (dontFragment ? Protocol.PIECE_BYTES : SPARSE_READ_BYTES - 1);
    }

    @Override
    public MemorySegment plainData(int length) {
        return out.ahead(DATA_HEADER_BYTES, length);
    }

    @Override
    public void plainDone(long cookie, long offset, int length, int error) throws IOException {
        dataDone(cookie, offset, length, error, true);
    }

    private void readSparse(DiskRequests disk, long cookie, long offset, int length) throws IOException {
        int done = 0;
        while (done < length) {
            long at = offset + done;
            int left = length - done;
            Export.Run run = disk.runAt(at, left);
            if (run == null) {
                error(cookie, Protocol.EIO, "block status failed at " + at);
                return;
            }
            int step = (int) Math.min(run.length(), run.zero() ? left : Math.min(left, Protocol.PIECE_BYTES));
            boolean last = step == left;
            if (run.zero()) {
                out.reserve(HOLE_BYTES);
                header(flags(last), Protocol.CHUNK_OFFSET_HOLE, cookie, 12);
                out.bytes().putLong(at).putInt(step);
            } else if (!readData(disk, cookie, at, step, last)) {
                return;
            }
            done += step;
        }
    }

    /** One chunk of data, read whole before it is sent; false if the disk could not and the client has been told. */
    private boolean readData(DiskRequests disk, long cookie, long offset, int length, boolean last) throws IOException {
        out.reserve(DATA_HEADER_BYTES + length);
        return dataDone(cookie, offset, length, disk.read(offset, plainData(length)), last);
    }

    private boolean dataDone(long cookie, long offset, int length, int error, boolean last) throws IOException {
        if (error != 0) {
            error(cookie, error, "read failed");
            return false;
        }
        dataHeader(flags(last), cookie, offset, length);
        out.skip(length);
        return true;
    }

    /** The client wants no fragments: the chunk is longer than the buffer, so it leaves in pieces. */
    private void readAsOneChunk(DiskRequests disk, long cookie, long offset, int length) throws IOException {
        int done = 0;
        while (done < length) {
            int piece = Math.min(length - done, Protocol.PIECE_BYTES);
            int head = done == 0 ? DATA_HEADER_BYTES : 0;
            out.reserve(head + piece);
            int error = disk.read(offset + done, out.ahead(head, piece));
            if (error != 0) {
                if (done > 0) {
                    // The chunk's length is promised: the protocol has no way left but to hang up.
                    throw new IOException("a read failed after its reply had begun");
                }
                error(cookie, error, "read failed");
                return;
            }
            if (done == 0) {
                dataHeader(Protocol.CHUNK_FLAG_DONE, cookie, offset, length);
            }
            out.skip(piece);
            done += piece;
        }
    }

    @Override
    public void blockStatus(DiskRequests disk, long cookie, long offset, long length, boolean one) throws IOException {
        int maxRuns = one ? 1 : Protocol.MAX_STATUS_RUNS;
        out.reserve(STATUS_BYTES - 8 * (Protocol.MAX_STATUS_RUNS - maxRuns));
        ByteBuffer to = out.bytes();
        int start = to.position();
        int at = start + Protocol.CHUNK_HEADER_BYTES + 4;
        int runs = 0;
        long runLength = 0;
        int runFlags = 0;
        long done = 0;
        for (int lookups = 0; done < length && lookups < Protocol.MAX_STATUS_LOOKUPS; lookups++) {
            Export.Run run = disk.runAt(offset + done, length - done);
            if (run == null) {
                error(cookie, Protocol.EIO, "block status failed");
                return;
            }
            if (runLength > 0 && run.stateFlags() != runFlags) {
                to.putInt(at + 8 * runs, (int) runLength).putInt(at + 8 * runs + 4, runFlags);
                runs++;
                runLength = 0;
                if (runs == maxRuns) {
                    break;
                }
            }
            runFlags = run.stateFlags();
            runLength += run.length();
            done += run.length();
        }
        if (runLength > 0) {
            to.putInt(at + 8 * runs, (int) runLength).putInt(at + 8 * runs + 4, runFlags);
            runs++;
        }
        header(Protocol.CHUNK_FLAG_DONE, Protocol.CHUNK_BLOCK_STATUS, cookie, 4 + 8 * runs);
        to.putInt(Protocol.BASE_ALLOCATION_ID);
        out.skip(8 * runs);
    }

    @Override
    public void error(long cookie, int error, String message) throws IOException {
        byte[] text = message.getBytes(StandardCharsets.UTF_8);
        out.reserve(Protocol.CHUNK_HEADER_BYTES + 6 + text.length);
        header(Protocol.CHUNK_FLAG_DONE, Protocol.CHUNK_ERROR, cookie, 6 + text.length);
        out.bytes().putInt(error).putShort((short) text.length).put(text);
    }

    private static int flags(boolean last) {
        return last ? Protocol.CHUNK_FLAG_DONE : 0;
    }

    private void dataHeader(int flags, long cookie, long offset, int length) {
        header(flags, Protocol.CHUNK_OFFSET_DATA, cookie, 8 + length);
        out.bytes().putLong(offset);
    }

    private void header(int flags, int type, long cookie, int length) {
        out.bytes()
                .putInt(Protocol.CHUNK_MAGIC)
                .putShort((short) flags)
                .putShort((short) type)
                .putLong(cookie)
                .putInt(length);
    }
}
