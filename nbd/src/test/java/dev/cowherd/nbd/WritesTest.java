package dev.cowherd.nbd;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.image.Engine;
import dev.cowherd.nbd.RawClient.Chunk;
import dev.cowherd.nbd.RawClient.OptionReply;
import dev.cowherd.nbd.RawClient.SimpleReply;
import dev.cowherd.storage.Errno;
import dev.cowherd.storage.StorageException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** Commands that change the export, byte by byte: what is written, refused, flushed, and that nothing is lost on the wire. */
@ParameterizedClass(name = "{0}")
@EnumSource(names = {"SYNC", "RING"})
class WritesTest {
    @Parameter
    private Engine engine = Engine.AUTO;

    private static final int SIZE = (12 << 20) + 7;

    private final MemoryExport export = new MemoryExport(SIZE);
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
    void aWritableExportOffersAllAndAReadOnlyOneNothing() throws IOException {
        int writable = Protocol.FLAG_HAS_FLAGS
                | Protocol.FLAG_SEND_FLUSH
                | Protocol.FLAG_SEND_FUA
                | Protocol.FLAG_SEND_TRIM
                | Protocol.FLAG_SEND_WRITE_ZEROES
                | Protocol.FLAG_SEND_FAST_ZERO
                | Protocol.FLAG_CAN_MULTI_CONN;
        assertThat(flagsOf(server)).isEqualTo(writable);
        try (NbdServer readOnly =
                NbdServer.start(export, NegotiationTest.anyPort(engine).withReadOnly(true))) {
            assertThat(flagsOf(readOnly))
                    .isEqualTo(Protocol.FLAG_HAS_FLAGS | Protocol.FLAG_READ_ONLY | Protocol.FLAG_CAN_MULTI_CONN);
            try (RawClient client = RawClient.simple(readOnly)) {
                write(client, 0, 5, new byte[100]);
                assertThat(client.readSimpleReply()).isEqualTo(new SimpleReply(Protocol.EPERM, 5));
            }
        }
    }

    private static int flagsOf(NbdServer server) throws IOException {
        try (RawClient client = RawClient.greeted(server)) {
            List<OptionReply> replies = client.expectAck(Protocol.OPT_GO, RawClient.export(""));
            return Short.toUnsignedInt(replies.getFirst().bytes().getShort(10));
        }
    }

    @Test
    void writesOfEveryLengthArriveWhole() throws IOException {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        byte[] expected = new byte[SIZE];
        try (RawClient simple = RawClient.simple(server);
                RawClient structured = RawClient.structured(server)) {
            for (int i = 0; i < 150; i++) {
                RawClient client = random.nextBoolean() ? simple : structured;
                byte[] bytes = new byte[random.nextInt(1 << random.nextInt(1, 24))];
                random.nextBytes(bytes);
                int offset = random.nextInt(SIZE - bytes.length + 1);
                System.arraycopy(bytes, 0, expected, offset, bytes.length);
                write(client, random.nextInt(2), offset, bytes);
                assertThat(client.readSimpleReply()).isEqualTo(new SimpleReply(0, offset));
            }
            assertThat(Arrays.mismatch(export.bytes(0, SIZE), expected)).isEqualTo(-1);
            assertThat(log).isEmpty();
        } catch (AssertionError e) {
            throw new AssertionError("seed " + seed, e);
        }
    }

    @Test
    void manyRequestsOfAllKindsInOneStreamSplitAnywhereAreDoneInOrder() throws Exception {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        int count = 3000;
        byte[] expected = new byte[SIZE];
        ByteBuffer all = ByteBuffer.allocate(60 << 20);
        for (int i = 0; i < count; i++) {
            int length = random.nextInt(1 << random.nextInt(1, random.nextInt(20) == 0 ? 20 : 14));
            int offset = random.nextInt(SIZE - length + 1);
            int command = switch (random.nextInt(8)) {
                case 0 -> Protocol.CMD_WRITE_ZEROES;
                case 1 -> Protocol.CMD_TRIM;
                case 2 -> Protocol.CMD_FLUSH;
                default -> Protocol.CMD_WRITE;
            };
            boolean flush = command == Protocol.CMD_FLUSH;
            int flags = flush ? 0 : random.nextInt(2);
            all.put(RawClient.request(flags, command, i, flush ? 0 : offset, flush ? 0 : length));
            if (command == Protocol.CMD_WRITE) {
                byte[] bytes = new byte[length];
                random.nextBytes(bytes);
                all.put(bytes);
                System.arraycopy(bytes, 0, expected, offset, length);
            } else if (!flush) {
                Arrays.fill(expected, offset, offset + length, (byte) 0);
            }
        }
        try (RawClient client = RawClient.structured(server)) {
            Thread sender = Thread.ofVirtual().start(() -> {
                try {
                    for (int at = 0; at < all.position(); ) {
                        int step = Math.min(all.position() - at, 1 + random.nextInt(1 << random.nextInt(1, 20)));
                        client.out.write(all.array(), at, step);
                        at += step;
                    }
                } catch (IOException e) {
                    throw new IllegalStateException(e);
                }
            });
            assertThat(client.readSimpleReplies(count, engine))
                    .as("seed %d", seed)
                    .isEqualTo(replies(0, count));
            sender.join();
            assertThat(sender.isAlive()).isFalse();
            assertThat(Arrays.mismatch(export.bytes(0, SIZE), expected))
                    .as("seed %d", seed)
                    .isEqualTo(-1);
            assertThat(export.flushes.get()).isPositive();
        }
    }

    @Test
    void rangesPastTheEndAreRefusedAndThePayloadIsSkipped() throws IOException {
        long[][] ranges = {
            {SIZE, 1}, {SIZE - 1, 2}, {SIZE - 100, 5 << 20}, {Long.MAX_VALUE - 5, 4096}, {-1, 1}, {Long.MIN_VALUE, 512}
        };
        try (RawClient simple = RawClient.simple(server);
                RawClient structured = RawClient.structured(server)) {
            for (long[] range : ranges) {
                int length = (int) range[1];
                write(simple, 0, range[0], new byte[length]);
                assertThat(simple.readSimpleReply()).isEqualTo(new SimpleReply(Protocol.ENOSPC, range[0]));
                write(structured, 0, range[0], new byte[length]);
                assertThat(errorIn(structured.readChunk())).isEqualTo(Protocol.ENOSPC);
                simple.send(0, Protocol.CMD_WRITE_ZEROES, 1, range[0], length);
                assertThat(simple.readSimpleReply()).isEqualTo(new SimpleReply(Protocol.ENOSPC, 1));
                simple.send(0, Protocol.CMD_TRIM, 2, range[0], length);
                assertThat(simple.readSimpleReply()).isEqualTo(new SimpleReply(Protocol.EINVAL, 2));
            }
            simple.send(0, Protocol.CMD_FLUSH, 3, 0, 512);
            assertThat(simple.readSimpleReply()).isEqualTo(new SimpleReply(Protocol.EINVAL, 3));
            simple.send(8, Protocol.CMD_WRITE, 4, 0, 512);
            simple.out.write(new byte[512]);
            assertThat(simple.readSimpleReply()).isEqualTo(new SimpleReply(Protocol.EINVAL, 4));
            assertThat(export.bytes(0, SIZE)).containsOnly(0);
            expectAlive(simple);
            expectAlive(structured);
        }
    }

    @Test
    void noBytesAtAllAreWrittenZeroedAndTrimmedWithSuccess() throws IOException {
        try (RawClient client = RawClient.simple(server)) {
            for (int command : new int[] {Protocol.CMD_WRITE, Protocol.CMD_TRIM, Protocol.CMD_WRITE_ZEROES}) {
                client.send(0, command, command, SIZE, 0);
                assertThat(client.readSimpleReply()).isEqualTo(new SimpleReply(0, command));
            }
        }
    }

    @Test
    void aFailureOfTheDiskHasItsErrorAndCostsOneRequest() throws IOException {
        export.hook = (what, offset, length) -> {
            if (offset >= 6 << 20) {
                throw new IOException("bad sector");
            }
            if (offset >= 4 << 20) {
                throw StorageException.of("pwrite", "disk", offset, Errno.ENOSPC.number());
            }
            if (offset >= 3 << 20) {
                throw new IllegalStateException("a fault of our own");
            }
        };
        try (RawClient simple = RawClient.simple(server);
                RawClient structured = RawClient.structured(server)) {
            int[][] cases = {{6, Protocol.EIO}, {4, Protocol.ENOSPC}, {3, Protocol.EIO}};
            for (int[] each : cases) {
                for (int length : new int[] {1, 4096, 300_000, 5 << 20}) {
                    long offset = (long) each[0] << 20;
                    write(simple, 0, offset, new byte[length]);
                    assertThat(simple.readSimpleReply()).isEqualTo(new SimpleReply(each[1], offset));
                    write(structured, 1, offset, new byte[length]);
                    assertThat(errorIn(structured.readChunk())).isEqualTo(each[1]);
                }
                for (int command : new int[] {Protocol.CMD_TRIM, Protocol.CMD_WRITE_ZEROES}) {
                    simple.send(1, command, 7, (long) each[0] << 20, 4096);
                    assertThat(simple.readSimpleReply()).isEqualTo(new SimpleReply(each[1], 7));
                }
            }
            assertThat(log).anyMatch(line -> line.equals("write of 4096 bytes at 6291456 failed: bad sector"));
            assertThat(export.flushes).hasValue(0);
            expectAlive(simple);
            expectAlive(structured);
        }
    }

    @Test
    void aLongWriteThatFailsInTheMiddleIsSkippedToItsEnd() throws IOException {
        export.hook = (what, offset, length) -> {
            if (offset >= 4 << 20) {
                throw new IOException("bad sector");
            }
        };
        try (RawClient client = RawClient.simple(server)) {
            write(client, 0, 1000, new byte[9 << 20]);
            assertThat(client.readSimpleReply()).isEqualTo(new SimpleReply(Protocol.EIO, 1000));
            expectAlive(client);
        }
    }

    @Test
    void aFlushAndEachDurableWriteIsAnsweredAfterAFlushOfTheDisk() throws IOException {
        try (RawClient client = RawClient.simple(server)) {
            int flushes = 0;
            write(client, 0, 0, new byte[512]);
            assertThat(client.readSimpleReply()).isEqualTo(new SimpleReply(0, 0));
            assertThat(export.flushes).hasValue(flushes);
            client.send(0, Protocol.CMD_FLUSH, 1, 0, 0);
            assertThat(client.readSimpleReply()).isEqualTo(new SimpleReply(0, 1));
            assertThat(export.flushes).hasValue(++flushes);
            write(client, Protocol.CMD_FLAG_FUA, 2, new byte[512]);
            assertThat(client.readSimpleReply()).isEqualTo(new SimpleReply(0, 2));
            assertThat(export.flushes).hasValue(++flushes);
            for (int command : new int[] {Protocol.CMD_TRIM, Protocol.CMD_WRITE_ZEROES}) {
                client.send(Protocol.CMD_FLAG_FUA, command, 3, 4096, 4096);
                assertThat(client.readSimpleReply()).isEqualTo(new SimpleReply(0, 3));
                assertThat(export.flushes).hasValue(++flushes);
            }
            client.send(Protocol.CMD_FLAG_FUA, Protocol.CMD_READ, 4, 0, 10);
            assertThat(client.readSimpleReply()).isEqualTo(new SimpleReply(0, 4));
            assertThat(client.in.readNBytes(10)).hasSize(10);
            assertThat(export.flushes).hasValue(flushes);
        }
    }

    @Test
    void durableWritesThatArriveTogetherShareOneFlushWhichComesAfterAllOfThem() throws Exception {
        CountDownLatch sent = new CountDownLatch(1);
        ConcurrentLinkedQueue<String> order = new ConcurrentLinkedQueue<>();
        export.hook = (what, offset, length) -> {
            if (offset == 1 << 20) {
                await(sent);
            } else {
                order.add(what);
            }
        };
        try (RawClient client = RawClient.simple(server)) {
            write(client, 0, 1 << 20, new byte[1]);
            sendDurableBatch(client);
            sent.countDown();
            assertThat(client.readSimpleReply()).isEqualTo(new SimpleReply(0, 1 << 20));
            assertThat(client.readSimpleReplies(40, engine)).isEqualTo(replies(0, 40));
            assertThat(export.flushes).hasValue(1);
            assertThat(order).hasSize(21).endsWith("write", "flush");
        }
    }

    @Test
    void aFlushThatFailsFailsAllThatWaitedForItAndNothingElse() throws Exception {
        CountDownLatch sent = new CountDownLatch(1);
        export.hook = (what, offset, length) -> {
            if (offset == 1 << 20) {
                await(sent);
            } else if (what.equals("flush")) {
                throw new IOException("fdatasync failed");
            }
        };
        try (RawClient client = RawClient.structured(server)) {
            write(client, 0, 1 << 20, new byte[1]);
            sendDurableBatch(client);
            sent.countDown();
            assertThat(client.readSimpleReply()).isEqualTo(new SimpleReply(0, 1 << 20));
            assertThat(client.readSimpleReplies(40, engine)).isEqualTo(replies(Protocol.EIO, 40));
            expectAlive(client);
        }
        assertThat(log).containsExactly("flush failed: fdatasync failed");
    }

    private static List<SimpleReply> replies(int error, int count) {
        return IntStream.range(0, count)
                .mapToObj(i -> new SimpleReply(error, i))
                .toList();
    }

    /** Forty requests in one go: writes that must be durable, and flushes. */
    private static void sendDurableBatch(RawClient client) throws IOException {
        ByteBuffer batch = ByteBuffer.allocate(40 * 600);
        for (int i = 0; i < 20; i++) {
            batch.put(RawClient.request(Protocol.CMD_FLAG_FUA, Protocol.CMD_WRITE, 2L * i, i * 512L, 512));
            batch.put(new byte[512]);
            batch.put(RawClient.request(0, Protocol.CMD_FLUSH, 2L * i + 1, 0, 0));
        }
        client.out.write(batch.array(), 0, batch.position());
    }

    @Test
    void fastZeroesAreDoneWhereTheyAreFastAndElseNotSupported() throws IOException {
        try (RawClient simple = RawClient.simple(server);
                RawClient structured = RawClient.structured(server)) {
            byte[] ones = new byte[8192];
            Arrays.fill(ones, (byte) 1);
            write(simple, 0, 0, ones);
            assertThat(simple.readSimpleReply()).isEqualTo(new SimpleReply(0, 0));
            simple.send(Protocol.CMD_FLAG_FAST_ZERO, Protocol.CMD_WRITE_ZEROES, 1, 100, 4096);
            assertThat(simple.readSimpleReply()).isEqualTo(new SimpleReply(Protocol.ENOTSUP, 1));
            structured.send(Protocol.CMD_FLAG_FAST_ZERO, Protocol.CMD_WRITE_ZEROES, 1, 100, 4096);
            assertThat(errorIn(structured.readChunk())).isEqualTo(Protocol.ENOTSUP);
            assertThat(export.bytes(0, 8192)).containsOnly(1);
            simple.send(Protocol.CMD_FLAG_FAST_ZERO, Protocol.CMD_WRITE_ZEROES, 2, 4096, 4096);
            assertThat(simple.readSimpleReply()).isEqualTo(new SimpleReply(0, 2));
            simple.send(0, Protocol.CMD_WRITE_ZEROES, 3, 100, 200);
            assertThat(simple.readSimpleReply()).isEqualTo(new SimpleReply(0, 3));
            assertThat(export.bytes(4096, 4096)).containsOnly(0);
            assertThat(export.bytes(100, 200)).containsOnly(0);
            assertThat(export.bytes(300, 3796)).containsOnly(1);
            assertThat(log).isEmpty();
        }
    }

    @Test
    void spaceIsGivenBackOnlyWhereTheClientAndTheOptionsAllow() throws IOException {
        try (RawClient client = RawClient.simple(server)) {
            zeroAndTrim(client);
            assertThat(export.unmappingZeroes).hasValue(1);
            assertThat(export.trims).hasValue(1);
        }
        try (NbdServer keeping =
                        NbdServer.start(export, NegotiationTest.anyPort(engine).withDiscards(false));
                RawClient client = RawClient.simple(keeping)) {
            zeroAndTrim(client);
            assertThat(export.unmappingZeroes).hasValue(1);
            assertThat(export.trims).hasValue(1);
        }
    }

    private void zeroAndTrim(RawClient client) throws IOException {
        client.send(0, Protocol.CMD_WRITE_ZEROES, 1, 0, 4096);
        client.send(Protocol.CMD_FLAG_NO_HOLE, Protocol.CMD_WRITE_ZEROES, 2, 0, 4096);
        client.send(0, Protocol.CMD_TRIM, 3, 0, 4096);
        assertThat(client.readSimpleReplies(3, engine))
                .containsExactly(new SimpleReply(0, 1), new SimpleReply(0, 2), new SimpleReply(0, 3));
    }

    @Test
    void aClientThatLeavesInsideAPayloadHasWrittenNothing() throws IOException {
        try (RawClient client = RawClient.simple(server)) {
            client.send(0, Protocol.CMD_WRITE, 1, 0, 100_000);
            byte[] ones = new byte[50_000];
            Arrays.fill(ones, (byte) 1);
            client.out.write(ones);
        }
        NbdServerTest.awaitTrue(() -> server.connectionCount() == 0);
        assertThat(export.bytes(0, 100_000)).containsOnly(0);
        assertThat(log).isEmpty();
    }

    private static void write(RawClient client, int flags, long offset, byte[] bytes) throws IOException {
        client.send(flags, Protocol.CMD_WRITE, offset, offset, bytes.length);
        client.out.write(bytes);
    }

    private static int errorIn(Chunk chunk) {
        assertThat(chunk.type()).isEqualTo(Protocol.CHUNK_ERROR);
        assertThat(chunk.isLast()).isTrue();
        return chunk.bytes().getInt();
    }

    /** A write that must succeed: nothing was left on the wire. */
    private static void expectAlive(RawClient client) throws IOException {
        write(client, 0, 77, new byte[100]);
        assertThat(client.readSimpleReply()).isEqualTo(new SimpleReply(0, 77));
    }

    private static void await(CountDownLatch latch) {
        try {
            if (!latch.await(30, TimeUnit.SECONDS)) {
                throw new IllegalStateException("waited too long");
            }
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }
}
