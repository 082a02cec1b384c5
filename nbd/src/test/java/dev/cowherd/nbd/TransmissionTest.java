package dev.cowherd.nbd;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.image.Engine;
import dev.cowherd.nbd.RawClient.Chunk;
import dev.cowherd.nbd.RawClient.SimpleReply;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** Requests and replies, byte by byte: every limit and error, and that a refused request leaves the connection whole. */
@ParameterizedClass(name = "{0}")
@EnumSource(names = {"SYNC", "RING"})
class TransmissionTest {
    @Parameter
    private Engine engine = Engine.AUTO;

    private static final long SIZE = (40L << 20) + 13;
    private static final long BAD = 39L << 20;

    private final PatternExport export =
            PatternExport.of(SIZE).withHole(1 << 20, 3 << 20).withBadByteAt(BAD);
    private final ConcurrentLinkedQueue<String> log = new ConcurrentLinkedQueue<>();
    private NbdServer server;

    @BeforeEach
    void start() throws IOException {
        server = NbdServer.start(export, NegotiationTest.anyPort(engine).withLog(log::add));
    }

    @AfterEach
    void stop() throws IOException {
        server.close();
        assertThat(export.openQueues).hasValue(0);
    }

    @Test
    void readsOfEveryLengthCarryTheRightBytes() throws IOException {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        try (RawClient simple = RawClient.simple(server);
                RawClient structured = RawClient.structured(server)) {
            for (int i = 0; i < 60; i++) {
                int length = random.nextInt(1 << random.nextInt(1, 22));
                long offset = random.nextLong(BAD - length);
                expectRead(simple, offset, length);
                expectStructuredRead(structured, offset, length, random.nextBoolean());
            }
        } catch (AssertionError e) {
            throw new AssertionError("seed " + seed, e);
        }
    }

    @Test
    void theLastByteAndNoBytesAtAllCanBeRead() throws IOException {
        try (RawClient simple = RawClient.simple(server);
                RawClient structured = RawClient.structured(server)) {
            for (long offset : new long[] {0, SIZE - 1}) {
                expectRead(simple, offset, 1);
                expectStructuredRead(structured, offset, 1, false);
            }
            expectRead(simple, SIZE, 0);
            structured.send(0, Protocol.CMD_READ, 3, SIZE, 0);
            Chunk chunk = structured.readChunk();
            assertThat(chunk.type()).isEqualTo(Protocol.CHUNK_NONE);
            assertThat(chunk.isLast()).isTrue();
        }
    }

    @Test
    void theLongestReadIsServedAndOneByteMoreIsRefused() throws IOException {
        int most = Protocol.MAX_REQUEST_BYTES;
        try (RawClient simple = RawClient.simple(server);
                RawClient structured = RawClient.structured(server)) {
            expectRead(simple, 5, most);
            expectStructuredRead(structured, 5, most, false);
            expectStructuredRead(structured, 5, most, true);
            expectSimpleError(simple, 0, Protocol.CMD_READ, 0, most + 1, Protocol.EINVAL);
            expectSimpleError(simple, 0, Protocol.CMD_READ, 0, -1, Protocol.EINVAL);
            expectStructuredError(structured, 0, Protocol.CMD_READ, 0, most + 1, Protocol.EINVAL);
        }
    }

    @Test
    void rangesPastTheEndAreRefusedOverflowIncluded() throws IOException {
        long[][] ranges = {
            {SIZE, 1},
            {SIZE - 1, 2},
            {0, SIZE + 1},
            {Long.MAX_VALUE, 1},
            {Long.MAX_VALUE - 5, 4096},
            {-1, 1},
            {-4096, 4096},
            {Long.MIN_VALUE, 4096}
        };
        try (RawClient simple = RawClient.simple(server);
                RawClient structured = RawClient.structured(server)) {
            for (long[] range : ranges) {
                expectSimpleError(simple, 0, Protocol.CMD_READ, range[0], (int) range[1], Protocol.EINVAL);
                expectStructuredError(structured, 0, Protocol.CMD_READ, range[0], (int) range[1], Protocol.EINVAL);
                expectStructuredError(
                        structured, 0, Protocol.CMD_BLOCK_STATUS, range[0], (int) range[1], Protocol.EINVAL);
            }
        }
    }

    @Test
    void writesAreForbiddenAndTheirPayloadIsSkipped() throws IOException {
        byte[] payload = new byte[300_000];
        try (RawClient client = RawClient.simple(server)) {
            for (int length : new int[] {0, 1, 65_535, payload.length}) {
                client.send(0, Protocol.CMD_WRITE, 9, 0, length);
                client.out.write(payload, 0, length);
                assertThat(client.readSimpleReply()).isEqualTo(new SimpleReply(Protocol.EPERM, 9));
            }
            expectSimpleError(client, 0, Protocol.CMD_TRIM, 0, 4096, Protocol.EPERM);
            expectSimpleError(client, 0, Protocol.CMD_WRITE_ZEROES, 0, 4096, Protocol.EPERM);
            client.expectAlive(export);
        }
    }

    @Test
    void aWriteLongerThanTheLimitEndsTheConnection() throws IOException {
        try (RawClient client = RawClient.simple(server)) {
            client.send(0, Protocol.CMD_WRITE, 9, 0, Protocol.MAX_REQUEST_BYTES + 1);
            client.expectClosed();
        }
    }

    @Test
    void unknownCommandsAndFlagsAreInvalid() throws IOException {
        try (RawClient simple = RawClient.simple(server);
                RawClient structured = RawClient.structured(server)) {
            for (int command : new int[] {3, 5, 7, 8, 0xffff}) {
                expectSimpleError(simple, 0, command, 0, 512, Protocol.EINVAL);
            }
            for (int flags : new int[] {1, 2, 4, 8, 0x8000}) {
                expectSimpleError(simple, flags, Protocol.CMD_READ, 0, 512, Protocol.EINVAL);
            }
            expectStructuredError(structured, 8, Protocol.CMD_READ, 0, 512, Protocol.EINVAL);
            expectStructuredError(structured, 4, Protocol.CMD_BLOCK_STATUS, 0, 512, Protocol.EINVAL);
            expectStructuredError(structured, 0, Protocol.CMD_BLOCK_STATUS, 0, 0, Protocol.EINVAL);
            simple.expectAlive(export);
        }
    }

    @Test
    void wrongRequestMagicEndsTheConnectionAndNoOther() throws IOException {
        try (RawClient good = RawClient.simple(server);
                RawClient bad = RawClient.simple(server)) {
            bad.out.write(new byte[Protocol.REQUEST_BYTES]);
            bad.expectClosed();
            good.expectAlive(export);
        }
    }

    @Test
    void goodbyeEndsTheConnectionAfterAllReplies() throws IOException {
        try (RawClient client = RawClient.simple(server)) {
            ByteBuffer all = ByteBuffer.allocate(11 * Protocol.REQUEST_BYTES);
            for (int i = 0; i < 10; i++) {
                all.put(RawClient.request(0, Protocol.CMD_READ, i, i * 512L, 512));
            }
            all.put(RawClient.request(0, Protocol.CMD_DISC, 0, 0, 0));
            client.out.write(all.array());
            for (int i = 0; i < 10; i++) {
                assertThat(client.readSimpleReply()).isEqualTo(new SimpleReply(0, i));
                assertThat(client.in.readNBytes(512)).isEqualTo(export.bytes(i * 512L, 512));
            }
            client.expectClosed();
        }
    }

    @Test
    void manyRequestsInOneWriteSplitAnywhereAreAllAnsweredInOrder() throws IOException {
        int count = 5000;
        ByteBuffer all = ByteBuffer.allocate(count * Protocol.REQUEST_BYTES);
        for (int i = 0; i < count; i++) {
            all.put(RawClient.request(0, Protocol.CMD_READ, i, i * 100L, i % 700));
        }
        try (RawClient client = RawClient.simple(server)) {
            Thread sender = Thread.ofVirtual().start(() -> {
                Random random = new Random(count);
                try {
                    for (int at = 0; at < all.capacity(); ) {
                        int step = Math.min(all.capacity() - at, 1 + random.nextInt(10_000));
                        client.out.write(all.array(), at, step);
                        at += step;
                    }
                } catch (IOException e) {
                    throw new java.io.UncheckedIOException(e);
                }
            });
            for (int i = 0; i < count; i++) {
                assertThat(client.readSimpleReply()).isEqualTo(new SimpleReply(0, i));
                assertThat(client.in.readNBytes(i % 700)).isEqualTo(export.bytes(i * 100L, i % 700));
            }
            sender.join();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void anUnreadablePlaceFailsItsRequestAloneAndIsLogged() throws IOException {
        try (RawClient simple = RawClient.simple(server);
                RawClient structured = RawClient.structured(server)) {
            expectSimpleError(simple, 0, Protocol.CMD_READ, BAD - 10, 4096, Protocol.EIO);
            expectStructuredError(structured, 0, Protocol.CMD_READ, BAD - 10, 4096, Protocol.EIO);
            expectStructuredError(structured, 4, Protocol.CMD_READ, BAD - 10, 4096, Protocol.EIO);
            expectRead(simple, BAD + 1, 4096);
            expectStructuredRead(structured, BAD + 1, 4096, false);
        }
        assertThat(log).hasSize(3).allMatch(line -> line.contains("failed: bad byte at " + BAD));
    }

    @Test
    void anErrorInTheMiddleOfALongStructuredReadIsToldAndTheConnectionLives() throws IOException {
        try (RawClient client = RawClient.structured(server)) {
            client.send(0, Protocol.CMD_READ, 4, BAD - (8 << 20), 8 << 20 | 512);
            List<Chunk> chunks = client.readChunks();
            assertThat(chunks).hasSizeGreaterThan(2);
            assertThat(chunks.getLast().type()).isEqualTo(Protocol.CHUNK_ERROR);
            assertThat(chunks.getLast().bytes().getInt()).isEqualTo(Protocol.EIO);
            expectStructuredRead(client, 0, 4096, false);
        }
    }

    @Test
    void anErrorInTheMiddleOfALongSimpleReadCutsTheConnectionRatherThanLie() throws IOException {
        try (RawClient client = RawClient.simple(server)) {
            client.send(0, Protocol.CMD_READ, 4, BAD - (8 << 20), 8 << 20 | 512);
            assertThat(client.readSimpleReply().error()).isZero();
            assertThat(client.in.readAllBytes().length).isLessThanOrEqualTo(8 << 20);
        }
    }

    @Test
    void blockStatusTellsHolesAndRespectsOneRunOnly() throws IOException {
        try (RawClient client = RawClient.structured(server)) {
            client.send(0, Protocol.CMD_BLOCK_STATUS, 6, 4096, 4 << 20);
            Chunk chunk = client.readChunk();
            assertThat(chunk.type()).isEqualTo(Protocol.CHUNK_BLOCK_STATUS);
            int[] runs = new int[7];
            chunk.bytes().asIntBuffer().get(runs);
            assertThat(runs)
                    .containsExactly(Protocol.BASE_ALLOCATION_ID, (1 << 20) - 4096, 0, 2 << 20, 3, (1 << 20) + 4096, 0);
            client.send(Protocol.CMD_FLAG_REQ_ONE, Protocol.CMD_BLOCK_STATUS, 6, 2 << 20, 4 << 20);
            Chunk one = client.readChunk();
            assertThat(one.bytes().capacity()).isEqualTo(12);
            assertThat(one.bytes().getInt(4)).isEqualTo(1 << 20);
            assertThat(one.bytes().getInt(8)).isEqualTo(3);
        }
    }

    @Test
    void holesOfAStructuredReadAreSentAsHoles() throws IOException {
        try (RawClient client = RawClient.structured(server)) {
            client.send(0, Protocol.CMD_READ, 6, (1 << 20) - 4096, 8 << 20);
            List<Chunk> chunks = client.readChunks();
            assertThat(chunks.get(1).type()).isEqualTo(Protocol.CHUNK_OFFSET_HOLE);
            assertThat(chunks.get(1).bytes().getInt(8)).isEqualTo(2 << 20);
        }
    }

    private void expectRead(RawClient client, long offset, int length) throws IOException {
        client.send(0, Protocol.CMD_READ, offset ^ 42, offset, length);
        assertThat(client.readSimpleReply()).isEqualTo(new SimpleReply(0, offset ^ 42));
        assertThat(client.in.readNBytes(length)).isEqualTo(export.bytes(offset, length));
    }

    private void expectStructuredRead(RawClient client, long offset, int length, boolean one) throws IOException {
        client.send(one ? Protocol.CMD_FLAG_DF : 0, Protocol.CMD_READ, offset ^ 7, offset, length);
        List<Chunk> chunks = client.readChunks();
        byte[] bytes = new byte[length];
        long covered = 0;
        for (Chunk chunk : chunks) {
            assertThat(chunk.cookie()).isEqualTo(offset ^ 7);
            ByteBuffer data = chunk.bytes();
            if (chunk.type() == Protocol.CHUNK_OFFSET_DATA) {
                int at = (int) (data.getLong() - offset);
                covered += data.remaining();
                data.get(bytes, at, data.remaining());
            } else if (chunk.type() == Protocol.CHUNK_OFFSET_HOLE) {
                covered += data.getInt(8);
            } else {
                assertThat(chunk.type()).isEqualTo(Protocol.CHUNK_NONE);
            }
        }
        assertThat(covered).isEqualTo(length);
        assertThat(!one || chunks.size() == 1).isTrue();
        assertThat(bytes).isEqualTo(export.bytes(offset, length));
    }

    private static void expectSimpleError(RawClient client, int flags, int command, long offset, int length, int error)
            throws IOException {
        client.send(flags, command, 11, offset, length);
        assertThat(client.readSimpleReply()).isEqualTo(new SimpleReply(error, 11));
    }

    private static void expectStructuredError(
            RawClient client, int flags, int command, long offset, int length, int error) throws IOException {
        client.send(flags, command, 12, offset, length);
        Chunk chunk = client.readChunks().getLast();
        assertThat(chunk.type()).isEqualTo(Protocol.CHUNK_ERROR);
        ByteBuffer data = chunk.bytes();
        assertThat(data.getInt()).isEqualTo(error);
        assertThat((int) data.getShort()).isEqualTo(data.remaining());
    }
}
