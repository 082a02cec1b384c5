package dev.cowherd.nbd;

import java.io.IOException;

/** The two ways to say the same: simple replies, and structured ones once a client has asked for them. */
sealed interface Replies permits SimpleReplies, StructuredReplies {
    /** What one piece of a long read takes: such a piece is read whole before a byte of it is sent. */
    int PIECE_BYTES = 2 << 20;

    /**
     * Reads from the disk and answers. The range lies inside the export and within the limits.
     *
     * @param dontFragment whether the client wants it as one chunk
     * @throws IOException if the client is lost, or an error of the disk can no longer be told in the protocol
     */
    void read(long cookie, long offset, int length, boolean dontFragment) throws IOException;

    /** Answers which runs hold data, from the offset on; one run only if the client wants no more. */
    void blockStatus(long cookie, long offset, long length, boolean one) throws IOException;

    /** Answers that the request failed. */
    void error(long cookie, int error, String message) throws IOException;
}
