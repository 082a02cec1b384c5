package dev.cowherd.nbd;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.image.Engine;
import dev.cowherd.nbd.RawClient.OptionReply;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** The handshake, byte by byte: what is answered, what is refused, and what ends the connection and only that. */
@ParameterizedClass(name = "{0}")
@EnumSource(names = {"SYNC", "RING"})
class NegotiationTest {
    @Parameter
    private Engine engine = Engine.AUTO;

    private static final byte[] NOTHING = new byte[0];
    private static final long SIZE = 1 << 20;

    private final PatternExport export = PatternExport.of(SIZE);
    private final ConcurrentLinkedQueue<String> log = new ConcurrentLinkedQueue<>();
    private NbdServer server;

    static NbdOptions anyPort(Engine engine) {
        return NbdOptions.defaults()
                .withEngine(engine)
                .withAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
    }

    @BeforeEach
    void start() throws IOException {
        server = NbdServer.start(
                export,
                anyPort(engine).withExportName("vm 1").withDescription("a disk").withLog(log::add));
    }

    @AfterEach
    void stop() throws IOException {
        server.close();
    }

    @Test
    void goGivesTheSizeReadOnlyManyConnectionsAndBlockSizes() throws IOException {
        try (RawClient client = RawClient.greeted(server)) {
            List<OptionReply> replies = client.expectAck(
                    Protocol.OPT_GO, RawClient.export("vm 1", Protocol.INFO_NAME, Protocol.INFO_DESCRIPTION));
            ByteBuffer info = replies.get(0).bytes();
            assertThat(info.getShort()).isEqualTo((short) Protocol.INFO_EXPORT);
            assertThat(info.getLong()).isEqualTo(SIZE);
            assertThat((int) info.getShort())
                    .isEqualTo(Protocol.FLAG_HAS_FLAGS | Protocol.FLAG_READ_ONLY | Protocol.FLAG_CAN_MULTI_CONN);
            ByteBuffer sizes = replies.get(1).bytes();
            assertThat(sizes.getShort()).isEqualTo((short) Protocol.INFO_BLOCK_SIZE);
            assertThat(sizes.getInt()).isEqualTo(1);
            assertThat(sizes.getInt()).isEqualTo(4096);
            assertThat(sizes.getInt()).isEqualTo(32 << 20);
            assertThat(replies.get(2).text()).endsWith("vm 1");
            assertThat(replies.get(3).text()).endsWith("a disk");
            client.expectAlive(export);
        }
    }

    @Test
    void infoAnswersLikeGoAndTheHandshakeGoesOn() throws IOException {
        try (RawClient client = RawClient.greeted(server)) {
            List<OptionReply> replies = client.expectAck(Protocol.OPT_INFO, RawClient.export("vm 1"));
            assertThat(replies).hasSize(3);
            assertThat(export.openQueues).hasValue(0);
            client.go("");
            client.expectAlive(export);
        }
    }

    @Test
    void listNamesTheExport() throws IOException {
        try (RawClient client = RawClient.greeted(server)) {
            List<OptionReply> replies = client.expectAck(Protocol.OPT_LIST, NOTHING);
            assertThat(replies).hasSize(2);
            assertThat(replies.getFirst().type()).isEqualTo(Protocol.REP_SERVER);
            ByteBuffer data = replies.getFirst().bytes();
            assertThat(data.getInt()).isEqualTo(4);
            assertThat(replies.getFirst().text()).endsWith("vm 1a disk");
            client.expectError(Protocol.OPT_LIST, new byte[1], Protocol.REP_ERR_INVALID);
        }
    }

    @Test
    void abortIsAcknowledgedAndEndsTheConnection() throws IOException {
        try (RawClient client = RawClient.greeted(server)) {
            client.expectAck(Protocol.OPT_ABORT, NOTHING);
            client.expectClosed();
        }
    }

    @Test
    void exportNameServesOldClientsWithAndWithoutPadding() throws IOException {
        byte[] name = "vm 1".getBytes(StandardCharsets.UTF_8);
        for (int flags : new int[] {0, 1, 3}) {
            try (RawClient client = RawClient.connect(server)) {
                client.readGreeting();
                client.out.writeInt(flags);
                client.sendOption(Protocol.OPT_EXPORT_NAME, name);
                assertThat(client.in.readLong()).isEqualTo(SIZE);
                assertThat(client.in.readUnsignedShort()).isEqualTo(0x103);
                if ((flags & Protocol.HANDSHAKE_NO_ZEROES) == 0) {
                    assertThat(client.in.readNBytes(124)).containsOnly(0);
                }
                client.expectAlive(export);
            }
        }
    }

    @Test
    void anUnknownExportIsRefusedByGoAndEndsExportName() throws IOException {
        try (RawClient client = RawClient.greeted(server)) {
            client.expectError(Protocol.OPT_GO, RawClient.export("vm 2"), Protocol.REP_ERR_UNKNOWN);
            client.expectError(Protocol.OPT_INFO, RawClient.export("VM 1"), Protocol.REP_ERR_UNKNOWN);
            client.go("vm 1");
            client.expectAlive(export);
        }
        try (RawClient client = RawClient.greeted(server)) {
            client.sendOption(Protocol.OPT_EXPORT_NAME, "vm 2".getBytes(StandardCharsets.UTF_8));
            client.expectClosed();
        }
    }

    @Test
    void unknownOptionsAndTlsAreUnsupportedAndTheHandshakeGoesOn() throws IOException {
        int startTls = 5;
        int extendedHeaders = 11;
        try (RawClient client = RawClient.greeted(server)) {
            for (int option : new int[] {startTls, extendedHeaders, 4, 999, -1}) {
                client.expectError(option, NOTHING, Protocol.REP_ERR_UNSUP);
                client.expectError(option, new byte[5000], Protocol.REP_ERR_UNSUP);
            }
            client.go("");
            client.expectAlive(export);
        }
    }

    @Test
    void malformedOptionDataIsInvalidAndTheHandshakeGoesOn() throws IOException {
        byte[] good = RawClient.export("vm 1", Protocol.INFO_NAME);
        try (RawClient client = RawClient.greeted(server)) {
            for (int length = 0; length < good.length; length++) {
                client.expectError(Protocol.OPT_GO, java.util.Arrays.copyOf(good, length), Protocol.REP_ERR_INVALID);
            }
            client.expectError(
                    Protocol.OPT_GO, java.util.Arrays.copyOf(good, good.length + 1), Protocol.REP_ERR_INVALID);
            byte[] hugeName = good.clone();
            ByteBuffer.wrap(hugeName).putInt(0, -1);
            client.expectError(Protocol.OPT_GO, hugeName, Protocol.REP_ERR_INVALID);
            byte[] notUtf8 = good.clone();
            notUtf8[4] = (byte) 0xff;
            client.expectError(Protocol.OPT_GO, notUtf8, Protocol.REP_ERR_INVALID);
            client.expectError(Protocol.OPT_STRUCTURED_REPLY, new byte[1], Protocol.REP_ERR_INVALID);
            client.go("");
            client.expectAlive(export);
        }
    }

    @Test
    void namesAreLimitedTo4096Bytes() throws IOException {
        try (RawClient client = RawClient.greeted(server)) {
            client.expectError(Protocol.OPT_INFO, RawClient.export("x".repeat(4096)), Protocol.REP_ERR_UNKNOWN);
            client.expectError(Protocol.OPT_INFO, RawClient.export("x".repeat(4097)), Protocol.REP_ERR_TOO_BIG);
            client.sendOption(Protocol.OPT_EXPORT_NAME, new byte[4097]);
            client.expectClosed();
        }
        server.close(); // The line is written after the client sees the end; closing waits for it.
        assertThat(log).anyMatch(line -> line.contains("longer than 4096"));
    }

    @Test
    void longOptionsAreSkippedAndAbsurdOnesEndTheConnection() throws IOException {
        try (RawClient client = RawClient.greeted(server)) {
            client.expectError(Protocol.OPT_GO, new byte[Protocol.MAX_OPTION_BYTES + 1], Protocol.REP_ERR_TOO_BIG);
            client.expectError(
                    Protocol.OPT_LIST, new byte[Protocol.MAX_SKIPPED_OPTION_BYTES], Protocol.REP_ERR_TOO_BIG);
            client.out.writeLong(Protocol.OPTION_MAGIC);
            client.out.writeInt(Protocol.OPT_GO);
            client.out.writeInt(-1);
            client.expectClosed();
        }
        try (RawClient client = RawClient.greeted(server)) {
            client.go("");
            client.expectAlive(export);
        }
    }

    @Test
    void wrongMagicEndsTheConnection() throws IOException {
        try (RawClient client = RawClient.greeted(server)) {
            client.out.writeBytes("GET / HTTP/1.1\r\n");
            client.expectClosed();
        }
        server.close(); // As above.
        assertThat(log)
                .hasSize(1)
                .first()
                .asString()
                .contains("broke the protocol")
                .contains("wrong magic");
    }

    @Test
    void unknownHandshakeFlagsEndTheConnection() throws IOException {
        try (RawClient client = RawClient.connect(server)) {
            client.readGreeting();
            client.out.writeInt(4);
            client.expectClosed();
        }
    }

    @Test
    void requestsBeforeTheExportIsPickedEndTheConnection() throws IOException {
        try (RawClient client = RawClient.greeted(server)) {
            client.send(0, Protocol.CMD_READ, 1, 0, 4096);
            client.expectClosed();
        }
        assertThat(export.openQueues).hasValue(0);
    }

    @Test
    void optionsAfterTheExportIsPickedEndTheConnection() throws IOException {
        try (RawClient client = RawClient.simple(server)) {
            client.sendOption(Protocol.OPT_LIST, new byte[12]);
            client.expectClosed();
        }
    }

    @Test
    void requestsSentInOneGoWithTheOptionAreServed() throws IOException {
        try (RawClient client = RawClient.greeted(server)) {
            byte[] go = RawClient.export("");
            ByteBuffer all = ByteBuffer.allocate(16 + go.length + 28);
            all.putLong(Protocol.OPTION_MAGIC)
                    .putInt(Protocol.OPT_GO)
                    .putInt(go.length)
                    .put(go);
            all.put(RawClient.request(0, Protocol.CMD_READ, 5, 10, 20));
            client.out.write(all.array());
            while (client.readOptionReply().type() != Protocol.REP_ACK) {
                assertThat(client.socket.isConnected()).isTrue();
            }
            assertThat(client.readSimpleReply().cookie()).isEqualTo(5);
            assertThat(client.in.readNBytes(20)).isEqualTo(export.bytes(10, 20));
        }
    }

    @Test
    void anEndlessHandshakeEnds() throws IOException {
        try (RawClient client = RawClient.greeted(server)) {
            for (int i = 0; i < Protocol.MAX_OPTIONS; i++) {
                client.expectAck(Protocol.OPT_LIST, NOTHING);
            }
            client.expectClosed();
        }
    }

    @Test
    void aClientThatSaysNothingGivesItsPlaceBack() throws IOException {
        NbdOptions hasty = anyPort(engine).withMaxConnections(1).withHandshakeTimeout(Duration.ofMillis(200));
        try (NbdServer small = NbdServer.start(export, hasty);
                RawClient silent = RawClient.connect(small)) {
            silent.readGreeting();
            silent.expectClosed();
        }
    }

    @Test
    void metaContextsNeedStructuredRepliesAndOfferBaseAllocationOnly() throws IOException {
        byte[] base = RawClient.contexts("vm 1", "base:allocation");
        try (RawClient client = RawClient.greeted(server)) {
            client.expectError(Protocol.OPT_SET_META_CONTEXT, base, Protocol.REP_ERR_INVALID);
            client.expectAck(Protocol.OPT_STRUCTURED_REPLY, NOTHING);
            byte[] other = RawClient.contexts("vm 2", "base:allocation");
            client.expectError(Protocol.OPT_SET_META_CONTEXT, other, Protocol.REP_ERR_UNKNOWN);
            assertThat(client.expectAck(
                            Protocol.OPT_SET_META_CONTEXT, RawClient.contexts("vm 1", "qemu:dirty-bitmap:")))
                    .hasSize(1);
            for (String[] queries : new String[][] {{}, {"base:"}, {"base:allocation", "x:y"}}) {
                List<OptionReply> listed =
                        client.expectAck(Protocol.OPT_LIST_META_CONTEXT, RawClient.contexts("vm 1", queries));
                assertThat(listed.getFirst().text()).endsWith("base:allocation");
            }
            List<OptionReply> set = client.expectAck(Protocol.OPT_SET_META_CONTEXT, base);
            assertThat(set.getFirst().type()).isEqualTo(Protocol.REP_META_CONTEXT);
            byte[] claims = base.clone();
            ByteBuffer.wrap(claims).putInt(8, Integer.MAX_VALUE);
            client.expectError(Protocol.OPT_SET_META_CONTEXT, claims, Protocol.REP_ERR_INVALID);
        }
    }
}
