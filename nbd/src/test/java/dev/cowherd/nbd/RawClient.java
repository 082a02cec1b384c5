package dev.cowherd.nbd;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.image.Engine;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/** A client that sends exactly the bytes a test wants, and takes apart what comes back. */
final class RawClient implements AutoCloseable {
    private static final int TIMEOUT_MILLIS = 20_000;

    final Socket socket;
    final DataInputStream in;
    final DataOutputStream out;

    record OptionReply(int option, int type, ByteBuffer bytes) {
        boolean isError() {
            return type < 0;
        }

        String text() {
            return StandardCharsets.UTF_8.decode(bytes.duplicate().rewind()).toString();
        }
    }

    record SimpleReply(int error, long cookie) {}

    record Chunk(int flags, int type, long cookie, ByteBuffer bytes) {
        boolean isLast() {
            return (flags & Protocol.CHUNK_FLAG_DONE) != 0;
        }
    }

    private RawClient(Socket socket) throws IOException {
        this.socket = socket;
        socket.setTcpNoDelay(true);
        socket.setSoTimeout(TIMEOUT_MILLIS);
        this.in = new DataInputStream(socket.getInputStream());
        this.out = new DataOutputStream(socket.getOutputStream());
    }

    /** Connected, nothing sent or read. */
    static RawClient connect(NbdServer server) throws IOException {
        return connect(URI.create(server.uri()));
    }

    private static RawClient connect(URI uri) throws IOException {
        Socket socket = new Socket();
        socket.connect(new InetSocketAddress(uri.getHost(), uri.getPort()), TIMEOUT_MILLIS);
        return new RawClient(socket);
    }

    /** The greeting read and answered; options come next. */
    static RawClient greeted(NbdServer server) throws IOException {
        return greeted(connect(server));
    }

    private static RawClient greeted(RawClient client) throws IOException {
        client.readGreeting();
        client.out.writeInt(Protocol.HANDSHAKE_FIXED_NEWSTYLE | Protocol.HANDSHAKE_NO_ZEROES);
        return client;
    }

    /** In transmission with simple replies, with a server in another process. */
    static RawClient simple(URI uri) throws IOException {
        RawClient client = greeted(connect(uri));
        client.go("");
        return client;
    }

    /** In transmission with simple replies. */
    static RawClient simple(NbdServer server) throws IOException {
        RawClient client = greeted(server);
        client.go("");
        return client;
    }

    /** In transmission with structured replies and base:allocation. */
    static RawClient structured(NbdServer server) throws IOException {
        RawClient client = greeted(server);
        client.expectAck(Protocol.OPT_STRUCTURED_REPLY, new byte[0]);
        client.expectAck(Protocol.OPT_SET_META_CONTEXT, contexts("", Protocol.BASE_ALLOCATION));
        client.go("");
        return client;
    }

    void readGreeting() throws IOException {
        assertThat(in.readLong()).isEqualTo(Protocol.GREETING_MAGIC);
        assertThat(in.readLong()).isEqualTo(Protocol.OPTION_MAGIC);
        assertThat(in.readUnsignedShort()).isEqualTo(Protocol.HANDSHAKE_FIXED_NEWSTYLE | Protocol.HANDSHAKE_NO_ZEROES);
    }

    void go(String name) throws IOException {
        expectAck(Protocol.OPT_GO, export(name));
    }

    List<OptionReply> expectAck(int option, byte[] data) throws IOException {
        List<OptionReply> replies = option(option, data);
        assertThat(replies.getLast().type()).as(replies.getLast().text()).isEqualTo(Protocol.REP_ACK);
        return replies;
    }

    OptionReply expectError(int option, byte[] data, int type) throws IOException {
        OptionReply reply = option(option, data).getLast();
        assertThat(reply.type()).as(reply.text()).isEqualTo(type);
        return reply;
    }

    /** Sends an option and reads its replies, up to the acknowledgement or error. */
    List<OptionReply> option(int option, byte[] data) throws IOException {
        sendOption(option, data);
        List<OptionReply> replies = new ArrayList<>();
        do {
            replies.add(readOptionReply());
            assertThat(replies.getLast().option()).isEqualTo(option);
        } while (replies.getLast().type() != Protocol.REP_ACK
                && !replies.getLast().isError());
        return replies;
    }

    void sendOption(int option, byte[] data) throws IOException {
        ByteBuffer message = ByteBuffer.allocate(16 + data.length);
        message.putLong(Protocol.OPTION_MAGIC)
                .putInt(option)
                .putInt(data.length)
                .put(data);
        out.write(message.array());
    }

    OptionReply readOptionReply() throws IOException {
        assertThat(in.readLong()).isEqualTo(Protocol.OPTION_REPLY_MAGIC);
        int option = in.readInt();
        int type = in.readInt();
        return new OptionReply(option, type, body());
    }

    private ByteBuffer body() throws IOException {
        int length = in.readInt();
        ByteBuffer body = ByteBuffer.wrap(in.readNBytes(length));
        assertThat(body.remaining()).isEqualTo(length);
        return body;
    }

    static byte[] export(String name, int... infos) {
        byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
        ByteBuffer data = ByteBuffer.allocate(4 + bytes.length + 2 + 2 * infos.length);
        data.putInt(bytes.length).put(bytes).putShort((short) infos.length);
        for (int info : infos) {
            data.putShort((short) info);
        }
        return data.array();
    }

    static byte[] contexts(String name, String... queries) {
        byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
        ByteBuffer data = ByteBuffer.allocate(8192);
        data.putInt(bytes.length).put(bytes).putInt(queries.length);
        for (String query : queries) {
            data.putInt(query.length()).put(query.getBytes(StandardCharsets.UTF_8));
        }
        byte[] exact = new byte[data.position()];
        data.flip().get(exact);
        return exact;
    }

    static ByteBuffer request(int flags, int command, long cookie, long offset, int length) {
        return ByteBuffer.allocate(Protocol.REQUEST_BYTES)
                .putInt(Protocol.REQUEST_MAGIC)
                .putShort((short) flags)
                .putShort((short) command)
                .putLong(cookie)
                .putLong(offset)
                .putInt(length)
                .flip();
    }

    void send(int flags, int command, long cookie, long offset, int length) throws IOException {
        out.write(request(flags, command, cookie, offset, length).array());
    }

    SimpleReply readSimpleReply() throws IOException {
        assertThat(in.readInt()).isEqualTo(Protocol.SIMPLE_REPLY_MAGIC);
        return new SimpleReply(in.readInt(), in.readLong());
    }

    /** Replies to so many requests that were under way at once: with the ring engine in any order, here by their cookies. */
    List<SimpleReply> readSimpleReplies(int count, Engine engine) throws IOException {
        List<SimpleReply> replies = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            replies.add(readSimpleReply());
        }
        if (engine == Engine.RING) {
            replies.sort(Comparator.comparingLong(SimpleReply::cookie));
        }
        return replies;
    }

    Chunk readChunk() throws IOException {
        assertThat(in.readInt()).isEqualTo(Protocol.CHUNK_MAGIC);
        int flags = in.readUnsignedShort();
        int type = in.readUnsignedShort();
        long cookie = in.readLong();
        return new Chunk(flags, type, cookie, body());
    }

    List<Chunk> readChunks() throws IOException {
        List<Chunk> chunks = new ArrayList<>();
        do {
            chunks.add(readChunk());
        } while (!chunks.getLast().isLast());
        return chunks;
    }

    /** A read of a few bytes that must succeed: the connection is alive and well. */
    void expectAlive(PatternExport export) throws IOException {
        send(0, Protocol.CMD_READ, 77, 4096, 100);
        assertThat(readSimpleReply()).isEqualTo(new SimpleReply(0, 77));
        assertThat(in.readNBytes(100)).isEqualTo(export.bytes(4096, 100));
    }

    /** The server has closed the connection, and sent nothing before. */
    void expectClosed() throws IOException {
        try {
            assertThat(in.read()).isEqualTo(-1);
        } catch (EOFException | SocketException reset) {
            assertThat(reset).isNotNull();
        }
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }
}
