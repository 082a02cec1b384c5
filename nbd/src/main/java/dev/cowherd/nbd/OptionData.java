package dev.cowherd.nbd;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** Takes apart the data of the options that carry some; every length is compared with what is there before it is used. */
final class OptionData {
    private OptionData() {}

    /** Data that is not what its option asks for; the client is told, and may go on. */
    static final class Malformed extends Exception {
        private static final long serialVersionUID = 1L;

        /** Which kind of {@code NBD_REP_ERR} says it. */
        final int replyType;

        /** A line for people. */
        final String reason;

        Malformed(int replyType, String message) {
            super(message, null, false, false);
            this.replyType = replyType;
            this.reason = message;
        }
    }

    /**
     * The data of {@code NBD_OPT_INFO} and {@code NBD_OPT_GO}.
     *
     * @param exportName the export the client means
     * @param infos the kinds of information it asks for
     */
    record InfoRequest(String exportName, List<Integer> infos) {
        static InfoRequest decode(ByteBuffer data) throws Malformed {
            String name = string(data);
            need(data, 2);
            int count = Short.toUnsignedInt(data.getShort());
            need(data, 2 * count);
            List<Integer> infos = new ArrayList<>(count);
            for (int i = 0; i < count; i++) {
                infos.add(Short.toUnsignedInt(data.getShort()));
            }
            end(data);
            return new InfoRequest(name, infos);
        }
    }

    /**
     * The data of {@code NBD_OPT_LIST_META_CONTEXT} and {@code NBD_OPT_SET_META_CONTEXT}.
     *
     * @param exportName the export the client means
     * @param queries the contexts it asks for
     */
    record ContextRequest(String exportName, List<String> queries) {
        static ContextRequest decode(ByteBuffer data) throws Malformed {
            String name = string(data);
            need(data, 4);
            int count = data.getInt();
            if (count < 0 || count > data.remaining() / 4) {
                throw invalid("more queries than the option holds");
            }
            List<String> queries = new ArrayList<>(count);
            for (int i = 0; i < count; i++) {
                queries.add(string(data));
            }
            end(data);
            return new ContextRequest(name, queries);
        }
    }

    /** Decodes the whole rest as one string. */
    static String rest(ByteBuffer data) throws Malformed {
        if (data.remaining() > Protocol.MAX_STRING_BYTES) {
            throw new Malformed(
                    Protocol.REP_ERR_TOO_BIG, "a string is longer than " + Protocol.MAX_STRING_BYTES + " bytes");
        }
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(data).toString();
        } catch (CharacterCodingException e) {
            throw invalid("a string is not UTF-8");
        }
    }

    /** Data where none belongs. */
    static void end(ByteBuffer data) throws Malformed {
        if (data.hasRemaining()) {
            throw invalid(data.remaining() + " bytes too many in the option");
        }
    }

    private static String string(ByteBuffer data) throws Malformed {
        need(data, 4);
        long length = Integer.toUnsignedLong(data.getInt());
        if (length > data.remaining()) {
            throw invalid("a string of " + length + " bytes reaches past the option");
        }
        ByteBuffer bytes = data.slice(data.position(), (int) length);
        data.position(data.position() + (int) length);
        return rest(bytes);
    }

    private static void need(ByteBuffer data, int bytes) throws Malformed {
        if (data.remaining() < bytes) {
            throw invalid("the option ends early");
        }
    }

    private static Malformed invalid(String message) {
        return new Malformed(Protocol.REP_ERR_INVALID, message);
    }
}
