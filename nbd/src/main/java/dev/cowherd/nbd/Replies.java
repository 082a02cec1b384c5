package dev.cowherd.nbd;

import java.io.IOException;
import java.lang.foreign.MemorySegment;

/** The two ways to say the same: simple replies, and structured ones once a client has asked for them. */
sealed interface Replies permits SimpleReplies, StructuredReplies {
    static Replies of(Outbound out, boolean structured) {
        return structured ? new StructuredReplies(out) : new SimpleReplies(out);
    }

    /**
     * Reads from the disk and answers. The range lies inside the export and within the limits.
     *
     * @param dontFragment whether the client wants it as one chunk
     * @throws IOException if the client is lost, or an error of the disk can no longer be told in the protocol
     */
    void read(DiskRequests disk, long cookie, long offset, int length, boolean dontFragment) throws IOException;

    /** Answers which runs hold data, from the offset on; one run only if the client wants no more. */
    void blockStatus(DiskRequests disk, long cookie, long offset, long length, boolean one) throws IOException;

    /** Answers that the request failed. */
    void error(long cookie, int error, String message) throws IOException;

    /** Whether a read is answered by one header and its bytes, so that somebody else may do the reading. */
    boolean isPlain(int length, boolean dontFragment);

    /** Where the bytes of a plain read go, so that its header can go before them. */
    MemorySegment plainData(int length);

    /** Answers a plain read whose bytes are in their place, or that failed. */
    void plainDone(long cookie, long offset, int length, int error) throws IOException;

    /** A simple reply without data, for which there is room: what every client understands. */
    static void simple(Outbound out, long cookie, int error) {
        out.bytes().putInt(Protocol.SIMPLE_REPLY_MAGIC).putInt(error).putLong(cookie);
    }

    /** For people: why zeros were not written. */
    static String zeroesFailed(int error) {
        return error == Protocol.ENOTSUP ? "not faster than a write" : "write of zeros failed";
    }
}
