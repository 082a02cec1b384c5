package dev.cowherd.nbd;

/**
 * The numbers of the NBD protocol (the protocol document of the NBD project, "Values") and the limits of this server.
 *
 * <p>All integers on the wire are big-endian and unsigned.
 */
final class Protocol {
    private Protocol() {}

    // The handshake.
    static final long GREETING_MAGIC = 0x4e42444d41474943L; // "NBDMAGIC"
    static final long OPTION_MAGIC = 0x49484156454F5054L; // "IHAVEOPT"
    static final long OPTION_REPLY_MAGIC = 0x0003e889045565a9L;
    static final int HANDSHAKE_FIXED_NEWSTYLE = 1;
    static final int HANDSHAKE_NO_ZEROES = 1 << 1;
    static final int OPTION_HEADER_BYTES = 16;
    static final int EXPORT_NAME_PADDING_BYTES = 124;

    static final int OPT_EXPORT_NAME = 1;
    static final int OPT_ABORT = 2;
    static final int OPT_LIST = 3;
    static final int OPT_INFO = 6;
    static final int OPT_GO = 7;
    static final int OPT_STRUCTURED_REPLY = 8;
    static final int OPT_LIST_META_CONTEXT = 9;
    static final int OPT_SET_META_CONTEXT = 10;

    static final int REP_ACK = 1;
    static final int REP_SERVER = 2;
    static final int REP_INFO = 3;
    static final int REP_META_CONTEXT = 4;
    private static final int REP_ERROR = 1 << 31;
    static final int REP_ERR_UNSUP = REP_ERROR + 1;
    static final int REP_ERR_POLICY = REP_ERROR + 2;
    static final int REP_ERR_INVALID = REP_ERROR + 3;
    static final int REP_ERR_PLATFORM = REP_ERROR + 4;
    static final int REP_ERR_UNKNOWN = REP_ERROR + 6;
    static final int REP_ERR_TOO_BIG = REP_ERROR + 9;

    static final int INFO_EXPORT = 0;
    static final int INFO_NAME = 1;
    static final int INFO_DESCRIPTION = 2;
    static final int INFO_BLOCK_SIZE = 3;

    // Transmission.
    static final int FLAG_HAS_FLAGS = 1;
    static final int FLAG_READ_ONLY = 1 << 1;
    static final int FLAG_SEND_FLUSH = 1 << 2;
    static final int FLAG_SEND_FUA = 1 << 3;
    static final int FLAG_SEND_TRIM = 1 << 5;
    static final int FLAG_SEND_WRITE_ZEROES = 1 << 6;
    static final int FLAG_SEND_DF = 1 << 7;
    static final int FLAG_CAN_MULTI_CONN = 1 << 8;
    static final int FLAG_SEND_FAST_ZERO = 1 << 11;
    /** All that a writable export offers. */
    static final int FLAGS_OF_WRITABLE =
            FLAG_SEND_FLUSH | FLAG_SEND_FUA | FLAG_SEND_TRIM | FLAG_SEND_WRITE_ZEROES | FLAG_SEND_FAST_ZERO;

    static final int REQUEST_MAGIC = 0x25609513;
    static final int REQUEST_BYTES = 28;
    static final int SIMPLE_REPLY_MAGIC = 0x67446698;
    static final int SIMPLE_REPLY_BYTES = 16;
    static final int SIMPLE_REPLY_ERROR_AT = 4;
    static final int CHUNK_MAGIC = 0x668e33ef;
    static final int CHUNK_HEADER_BYTES = 20;

    static final int CMD_READ = 0;
    static final int CMD_WRITE = 1;
    static final int CMD_DISC = 2;
    static final int CMD_FLUSH = 3;
    static final int CMD_TRIM = 4;
    static final int CMD_CACHE = 5;
    static final int CMD_WRITE_ZEROES = 6;
    static final int CMD_BLOCK_STATUS = 7;

    static final int CMD_FLAG_FUA = 1;
    static final int CMD_FLAG_NO_HOLE = 1 << 1;
    static final int CMD_FLAG_DF = 1 << 2;
    static final int CMD_FLAG_REQ_ONE = 1 << 3;
    static final int CMD_FLAG_FAST_ZERO = 1 << 4;

    static final int CHUNK_FLAG_DONE = 1;
    static final int CHUNK_NONE = 0;
    static final int CHUNK_OFFSET_DATA = 1;
    static final int CHUNK_OFFSET_HOLE = 2;
    static final int CHUNK_BLOCK_STATUS = 5;
    static final int CHUNK_ERROR = (1 << 15) + 1;

    static final int EPERM = 1;
    static final int EIO = 5;
    static final int ENOMEM = 12;
    static final int EINVAL = 22;
    static final int ENOSPC = 28;
    static final int ENOTSUP = 95;

    static final String BASE_ALLOCATION = "base:allocation";
    static final int BASE_ALLOCATION_ID = 1;
    static final int STATE_HOLE = 1;
    static final int STATE_ZERO = 1 << 1;

    // The limits of this server.

    /** Longest string of the protocol, export names among them ("Strings"). */
    static final int MAX_STRING_BYTES = 4096;
    /** Longest option data that is looked at. */
    static final int MAX_OPTION_BYTES = 16 << 10;
    /** Longest option data that is skipped with a polite error; beyond it the connection closes. */
    static final int MAX_SKIPPED_OPTION_BYTES = 1 << 20;
    /** How many options a client may send on one connection. */
    static final int MAX_OPTIONS = 256;
    /** Longest read that is served and longest payload that is taken; what has no payload may be longer. */
    static final int MAX_REQUEST_BYTES = 32 << 20;
    /** Longer reads and writes are done in pieces of this; no cluster is larger. */
    static final int PIECE_BYTES = 2 << 20;
    /** Payloads up to this lie in the buffer of requests. */
    static final int SHORT_PAYLOAD_BYTES = Inbound.BYTES / 2;
    /** What {@code NBD_INFO_BLOCK_SIZE} prefers: small requests below it cost as much as one of it. */
    static final int PREFERRED_BLOCK_BYTES = 4096;
    /** Most runs in one answer to a block status request. */
    static final int MAX_STATUS_RUNS = 1024;
    /** Most questions to the disk for one block status request; adjacent runs of one kind are merged into one answer. */
    static final int MAX_STATUS_LOOKUPS = 8192;

    /** How much of a long write is done at once: pieces end where no cluster is cut. */
    static int pieceAt(long offset, int left) {
        return (int) Math.min(left, PIECE_BYTES - offset % PIECE_BYTES);
    }
}
