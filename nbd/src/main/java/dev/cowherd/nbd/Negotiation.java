package dev.cowherd.nbd;

import dev.cowherd.nbd.OptionData.ContextRequest;
import dev.cowherd.nbd.OptionData.InfoRequest;
import dev.cowherd.nbd.OptionData.Malformed;
import java.io.IOException;
import java.net.ProtocolException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * The first part of a connection: the fixed newstyle handshake, in which the client asks what there is and picks the export
 * ("Fixed newstyle negotiation", "Option types"). What it does not know it refuses by name of the protocol, and the client
 * may go on; only where the end of a message can no longer be found the connection ends.
 */
final class Negotiation {
    /**
     * What was agreed.
     *
     * @param way the connection's own way to the export, the session's to close
     * @param writable whether the client may change the export
     * @param structured whether replies are structured
     * @param baseAllocation whether the client may ask for {@code base:allocation}
     */
    record Session(Way way, boolean writable, boolean structured, boolean baseAllocation) {}

    private final Inbound in;
    private final Outbound out;
    private final Export export;
    private final Ways ways;
    private final NbdOptions options;
    /** Why no export is given to this client; null if it may have it. */
    private final @Nullable String refusal;

    private boolean noZeroes;
    private boolean structured;
    private @Nullable Way opened;
    /** The export for which base:allocation was agreed. */
    private @Nullable String contextExport;

    Negotiation(Inbound in, Outbound out, Export export, Ways ways, NbdOptions options, @Nullable String refusal) {
        this.in = in;
        this.out = out;
        this.export = export;
        this.ways = ways;
        this.options = options;
        this.refusal = refusal;
    }

    /** Speaks with the client until it has picked the export; null if it left or was shown the door. */
    @Nullable
    Session run() throws IOException {
        Session session = null;
        try {
            greet();
            session = haggle();
            return session;
        } finally {
            if (session == null && opened != null) {
                opened.close();
            }
        }
    }

    private @Nullable Session haggle() throws IOException {
        for (int count = 0; count < Protocol.MAX_OPTIONS; count++) {
            if (!in.await(Protocol.OPTION_HEADER_BYTES)) {
                return null;
            }
            ByteBuffer header = in.bytes();
            long magic = header.getLong();
            int option = header.getInt();
            long length = Integer.toUnsignedLong(header.getInt());
            if (magic != Protocol.OPTION_MAGIC) {
                throw new ProtocolException("wrong magic 0x%x before an option".formatted(magic));
            }
            if (length > Protocol.MAX_OPTION_BYTES) {
                skipTooBig(option, length);
                continue;
            }
            in.require((int) length);
            ByteBuffer bytes = in.bytes();
            ByteBuffer data = bytes.slice(bytes.position(), (int) length);
            bytes.position(bytes.position() + (int) length);

            Step step = option == Protocol.OPT_EXPORT_NAME ? exportName(data) : answer(option, data);
            out.flush();
            switch (step) {
                case Step.Continue _ -> {}
                case Step.End _ -> {
                    return null;
                }
                case Step.Start(Session session) -> {
                    return session;
                }
            }
        }
        throw new ProtocolException("more than " + Protocol.MAX_OPTIONS + " options");
    }

    /** What follows after an option. */
    private sealed interface Step {
        record Continue() implements Step {}

        record End() implements Step {}

        record Start(Session session) implements Step {}
    }

    private void greet() throws IOException {
        ByteBuffer to = out.bytes();
        to.putLong(Protocol.GREETING_MAGIC).putLong(Protocol.OPTION_MAGIC);
        to.putShort((short) (Protocol.HANDSHAKE_FIXED_NEWSTYLE | Protocol.HANDSHAKE_NO_ZEROES));
        out.flush();
        if (!in.await(4)) {
            return;
        }
        int flags = in.bytes().getInt();
        int unknown = flags & ~(Protocol.HANDSHAKE_FIXED_NEWSTYLE | Protocol.HANDSHAKE_NO_ZEROES);
        if (unknown != 0) {
            throw new ProtocolException("unknown handshake flags 0x%x".formatted(unknown));
        }
        noZeroes = (flags & Protocol.HANDSHAKE_NO_ZEROES) != 0;
    }

    private void skipTooBig(int option, long length) throws IOException {
        if (option == Protocol.OPT_EXPORT_NAME || length > Protocol.MAX_SKIPPED_OPTION_BYTES) {
            throw new ProtocolException("option %d with %d bytes of data".formatted(option, length));
        }
        in.skip(length);
        reply(option, Protocol.REP_ERR_TOO_BIG, "more than " + Protocol.MAX_OPTION_BYTES + " bytes of option data");
        out.flush();
    }

    private Step answer(int option, ByteBuffer data) throws IOException {
        try {
            return switch (option) {
                case Protocol.OPT_ABORT -> {
                    reply(option, Protocol.REP_ACK, "");
                    yield new Step.End();
                }
                case Protocol.OPT_LIST -> list(option, data);
                case Protocol.OPT_INFO, Protocol.OPT_GO -> info(option, InfoRequest.decode(data));
                case Protocol.OPT_STRUCTURED_REPLY -> structuredReply(option, data);
                case Protocol.OPT_LIST_META_CONTEXT, Protocol.OPT_SET_META_CONTEXT ->
                    metaContext(option, ContextRequest.decode(data));
                default -> {
                    reply(option, Protocol.REP_ERR_UNSUP, "option " + Integer.toUnsignedString(option) + " is unknown");
                    yield new Step.Continue();
                }
            };
        } catch (Malformed e) {
            reply(option, e.replyType, e.reason);
            return new Step.Continue();
        }
    }

    /** The one option that has no reply: the transmission starts at once, or the connection ends. */
    private Step exportName(ByteBuffer data) throws IOException {
        String name;
        try {
            name = OptionData.rest(data);
        } catch (Malformed e) {
            throw new ProtocolException("export name: " + e.reason);
        }
        if (refusal != null || !isExport(name)) {
            return new Step.End();
        }
        Way way = openWay();
        if (way == null) {
            return new Step.End();
        }
        out.reserve(10 + Protocol.EXPORT_NAME_PADDING_BYTES);
        ByteBuffer to = out.bytes();
        to.putLong(export.sizeBytes()).putShort((short) transmissionFlags());
        if (!noZeroes) {
            to.put(new byte[Protocol.EXPORT_NAME_PADDING_BYTES]);
        }
        return new Step.Start(session(way, name));
    }

    private Step list(int option, ByteBuffer data) throws IOException, Malformed {
        OptionData.end(data);
        if (refusal != null) {
            return refuse(option, refusal);
        }
        byte[] name = options.exportName().getBytes(StandardCharsets.UTF_8);
        byte[] description = options.description().getBytes(StandardCharsets.UTF_8);
        replyHeader(option, Protocol.REP_SERVER, 4 + name.length + description.length);
        out.bytes().putInt(name.length).put(name).put(description);
        reply(option, Protocol.REP_ACK, "");
        return new Step.Continue();
    }

    private Step structuredReply(int option, ByteBuffer data) throws IOException, Malformed {
        OptionData.end(data);
        if (options.structuredReplies()) {
            structured = true;
            reply(option, Protocol.REP_ACK, "");
        } else {
            reply(option, Protocol.REP_ERR_POLICY, "structured replies are switched off");
        }
        return new Step.Continue();
    }

    private Step info(int option, InfoRequest request) throws IOException {
        if (refusal != null) {
            return refuse(option, refusal);
        }
        if (!isExport(request.exportName())) {
            reply(option, Protocol.REP_ERR_UNKNOWN, "no export of that name");
            return new Step.Continue();
        }
        Way way = null;
        if (option == Protocol.OPT_GO) {
            way = openWay();
            if (way == null) {
                reply(option, Protocol.REP_ERR_PLATFORM, "no queue could be opened on the image");
                return new Step.End();
            }
        }
        replyHeader(option, Protocol.REP_INFO, 12);
        out.bytes().putShort((short) Protocol.INFO_EXPORT).putLong(export.sizeBytes());
        out.bytes().putShort((short) transmissionFlags());
        replyHeader(option, Protocol.REP_INFO, 14);
        out.bytes().putShort((short) Protocol.INFO_BLOCK_SIZE).putInt(1);
        out.bytes().putInt(Protocol.PREFERRED_BLOCK_BYTES).putInt(Protocol.MAX_REQUEST_BYTES);
        if (request.infos().contains(Protocol.INFO_NAME)) {
            infoString(option, Protocol.INFO_NAME, options.exportName());
        }
        if (request.infos().contains(Protocol.INFO_DESCRIPTION)) {
            infoString(option, Protocol.INFO_DESCRIPTION, options.description());
        }
        reply(option, Protocol.REP_ACK, "");
        return way == null ? new Step.Continue() : new Step.Start(session(way, request.exportName()));
    }

    private Step metaContext(int option, ContextRequest request) throws IOException {
        boolean set = option == Protocol.OPT_SET_META_CONTEXT;
        if (set) {
            contextExport = null;
        }
        if (refusal != null) {
            return refuse(option, refusal);
        }
        if (!structured) {
            reply(option, Protocol.REP_ERR_INVALID, "structured replies come first");
        } else if (!isExport(request.exportName())) {
            reply(option, Protocol.REP_ERR_UNKNOWN, "no export of that name");
        } else {
            boolean asked = request.queries().contains(Protocol.BASE_ALLOCATION)
                    || (!set
                            && (request.queries().isEmpty() || request.queries().contains("base:")));
            if (asked) {
                byte[] name = Protocol.BASE_ALLOCATION.getBytes(StandardCharsets.UTF_8);
                replyHeader(option, Protocol.REP_META_CONTEXT, 4 + name.length);
                out.bytes().putInt(set ? Protocol.BASE_ALLOCATION_ID : 0).put(name);
                contextExport = set ? request.exportName() : contextExport;
            }
            reply(option, Protocol.REP_ACK, "");
        }
        return new Step.Continue();
    }

    private Step refuse(int option, String reason) throws IOException {
        reply(option, Protocol.REP_ERR_POLICY, reason);
        return option == Protocol.OPT_GO ? new Step.End() : new Step.Continue();
    }

    /** The session's way to the export; null, with a line in the log, if the image gives none. */
    private @Nullable Way openWay() {
        try {
            opened = ways.open();
        } catch (IOException e) {
            options.log().accept("no queue for a client: " + e.getMessage());
        }
        return opened;
    }

    /** The empty name is the default export, which is the only one there is. */
    private boolean isExport(String name) {
        return name.isEmpty() || name.equals(options.exportName());
    }

    private Session session(Way way, String exportName) {
        return new Session(way, isWritable(), structured, exportName.equals(contextExport));
    }

    private boolean isWritable() {
        return export.isWritable() && !options.readOnly();
    }

    private int transmissionFlags() {
        return Protocol.FLAG_HAS_FLAGS
                | Protocol.FLAG_CAN_MULTI_CONN
                | (isWritable() ? Protocol.FLAGS_OF_WRITABLE : Protocol.FLAG_READ_ONLY)
                | (structured ? Protocol.FLAG_SEND_DF : 0);
    }

    private void infoString(int option, int info, String value) throws IOException {
        byte[] bytes = value.getBytes(StandardCharsets.UTF_8);
        replyHeader(option, Protocol.REP_INFO, 2 + bytes.length);
        out.bytes().putShort((short) info).put(bytes);
    }

    /** Answers an option with a type and, for an error, a line for people. */
    private void reply(int option, int type, String message) throws IOException {
        byte[] bytes = message.getBytes(StandardCharsets.UTF_8);
        replyHeader(option, type, bytes.length);
        out.bytes().put(bytes);
    }

    private void replyHeader(int option, int type, int length) throws IOException {
        out.reserve(20 + length);
        out.bytes()
                .putLong(Protocol.OPTION_REPLY_MAGIC)
                .putInt(option)
                .putInt(type)
                .putInt(length);
    }
}
