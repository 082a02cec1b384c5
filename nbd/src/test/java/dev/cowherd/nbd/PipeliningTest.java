package dev.cowherd.nbd;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.Engine;
import dev.cowherd.image.ImageFormat;
import dev.cowherd.image.Quiesced;
import dev.cowherd.nbd.RawClient.Chunk;
import dev.cowherd.nbd.RawClient.SimpleReply;
import dev.cowherd.storage.filter.GateStorage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Many requests of one connection at once, on a raw file behind a gate that a test opens: none waits for another, there are never
 * more than allowed, and all end before the connection does.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class PipeliningTest {
    private static final int SIZE = 64 << 20;
    /** Reads and writes below this wait at the gate. */
    private static final int HELD = 32 << 20;

    @TempDir
    private Path folder;

    private final byte[] bytes = new byte[SIZE];
    private final ConcurrentLinkedQueue<String> log = new ConcurrentLinkedQueue<>();
    private final AtomicInteger held = new AtomicInteger();
    private final AtomicInteger syncs = new AtomicInteger();
    private final List<GateStorage> gates = new ArrayList<>();
    private volatile boolean holdsSyncs;
    private volatile boolean holds;
    private Disk disk;
    private NbdServer server;

    @BeforeEach
    void serve() throws IOException {
        new Random(5).nextBytes(bytes);
        Path file = Files.write(folder.resolve("disk.raw"), bytes);
        DiskOptions options = DiskOptions.defaults()
                .withFormat(ImageFormat.RAW)
                .withWritable(true)
                .withStorageFilter(next -> {
                    gates.add(new GateStorage(next, this::isHeld, Integer.MAX_VALUE, Duration.ofSeconds(50)));
                    return gates.getLast();
                });
        disk = Disk.open(file, options);
        server = NbdServer.start(
                disk, NegotiationTest.anyPort(Engine.RING).withMaxInflight(8).withLog(log::add));
        holds = true;
    }

    @AfterEach
    void stop() throws IOException {
        open();
        server.close();
        disk.close();
        assertThat(log).isEmpty();
    }

    private boolean isHeld(dev.cowherd.storage.filter.Request request) {
        boolean holdsThis = switch (request.operation()) {
            case READ, WRITE -> holds && request.offset() < HELD;
            case SYNC -> {
                syncs.incrementAndGet();
                yield holdsSyncs;
            }
            default -> false;
        };
        if (holdsThis) {
            held.incrementAndGet();
        }
        return holdsThis;
    }

    private void open() {
        gates.forEach(GateStorage::open);
    }

    private void expectRead(RawClient client, long cookie, long offset, int length) throws IOException {
        assertThat(client.readSimpleReply()).isEqualTo(new SimpleReply(0, cookie));
        assertThat(client.in.readNBytes(length))
                .isEqualTo(Arrays.copyOfRange(bytes, (int) offset, (int) offset + length));
    }

    @Test
    void aReadThatHasToWaitDoesNotHoldUpLaterOnesOfItsConnection() throws IOException {
        try (RawClient client = RawClient.simple(server)) {
            client.send(0, Protocol.CMD_READ, 1, 0, 4096);
            client.send(0, Protocol.CMD_READ, 2, HELD, 4096);
            client.send(0, Protocol.CMD_READ, 3, HELD + 77, 300_000);
            Set<Long> early = new HashSet<>();
            for (int i = 0; i < 2; i++) {
                SimpleReply reply = client.readSimpleReply();
                early.add(reply.cookie());
                client.in.readNBytes(reply.cookie() == 2 ? 4096 : 300_000);
            }
            assertThat(early).containsExactlyInAnyOrder(2L, 3L);
            open();
            expectRead(client, 1, 0, 4096);
        }
    }

    @Test
    void structuredRepliesComeAsTheyGetDoneToo() throws IOException {
        try (RawClient client = RawClient.structured(server)) {
            client.send(0, Protocol.CMD_READ, 1, 0, 200_000);
            client.send(0, Protocol.CMD_READ, 2, 4096, 4096);
            client.send(0, Protocol.CMD_BLOCK_STATUS, 3, 0, SIZE);
            Chunk status = client.readChunk();
            assertThat(status.cookie()).isEqualTo(3);
            client.send(0, Protocol.CMD_READ, 4, HELD, 200_000);
            List<Chunk> chunks = client.readChunks();
            assertThat(chunks.getLast().cookie()).isEqualTo(4);
            open();
            Set<Long> late = new HashSet<>();
            for (int i = 0; i < 2; i++) {
                late.add(client.readChunks().getLast().cookie());
            }
            assertThat(late).containsExactlyInAnyOrder(1L, 2L);
        }
    }

    @Test
    void asManyAsAllowedAreUnderWayAndTheOthersWaitUnread() throws IOException {
        try (RawClient client = RawClient.simple(server);
                RawClient other = RawClient.simple(server)) {
            for (int i = 0; i < 50; i++) {
                client.send(0, Protocol.CMD_READ, i, i * 4096L, 4096);
            }
            NbdServerTest.awaitTrue(() -> held.get() == 8);
            other.send(0, Protocol.CMD_READ, 9, HELD, 512);
            expectRead(other, 9, HELD, 512);
            assertThat(held).hasValue(8);
            open();
            Set<Long> answered = new HashSet<>();
            for (int i = 0; i < 50; i++) {
                answered.add(client.readSimpleReply().cookie());
                client.in.readNBytes(4096);
            }
            assertThat(answered).hasSize(50);
        }
    }

    @Test
    void theBytesUnderWayAreBoundedToo() throws IOException {
        int most = (int) (Slots.MOST_BYTES / Slot.memoryBytes(Protocol.PIECE_BYTES));
        try (RawClient client = RawClient.simple(server);
                RawClient other = RawClient.simple(server)) {
            for (int i = 0; i < 8; i++) {
                client.send(0, Protocol.CMD_READ, i, (long) i << 21, 2 << 20);
            }
            NbdServerTest.awaitTrue(() -> held.get() == most);
            other.send(0, Protocol.CMD_READ, 9, HELD, 512);
            expectRead(other, 9, HELD, 512);
            assertThat(held).hasValue(most);
            open();
            for (int i = 0; i < 8; i++) {
                SimpleReply reply = client.readSimpleReply();
                assertThat(reply.error()).isZero();
                int at = (int) reply.cookie() << 21;
                assertThat(client.in.readNBytes(2 << 20)).isEqualTo(Arrays.copyOfRange(bytes, at, at + (2 << 20)));
            }
            assertThat(most).isBetween(2, 7);
        }
    }

    @Test
    void aDurableWriteIsAnsweredByAFlushThatBeganAfterIt() throws IOException {
        holdsSyncs = true;
        try (RawClient client = RawClient.simple(server)) {
            client.send(Protocol.CMD_FLAG_FUA, Protocol.CMD_WRITE, 1, HELD, 512);
            client.out.write(new byte[512]);
            NbdServerTest.awaitTrue(() -> held.get() == 1);
            int before = syncs.get();
            // Done while that flush is under way, which may have missed it.
            client.send(Protocol.CMD_FLAG_FUA, Protocol.CMD_WRITE, 2, HELD + 4096, 512);
            client.out.write(new byte[512]);
            client.send(0, Protocol.CMD_READ, 3, HELD + 8192, 512);
            expectRead(client, 3, HELD + 8192, 512);
            assertThat(syncs).hasValue(before);
            holdsSyncs = false;
            open();
            assertThat(client.readSimpleReply()).isEqualTo(new SimpleReply(0, 1));
            assertThat(client.readSimpleReply()).isEqualTo(new SimpleReply(0, 2));
            assertThat(syncs.get()).isGreaterThan(before);
        }
    }

    @Test
    void theRequestsOfAClientThatVanishedEndBeforeItsConnectionDoes() throws IOException {
        try (RawClient other = RawClient.simple(server)) {
            for (int round = 0; round < 2; round++) {
                RawClient client = RawClient.simple(server);
                for (int i = 0; i < 20; i++) {
                    client.send(0, i % 2, i, i * 4096L, 4096);
                    client.out.write(new byte[i % 2 * 4096]);
                }
                int all = 8 * (round + 1);
                NbdServerTest.awaitTrue(() -> held.get() == all);
                if (round == 1) {
                    client.socket.setSoLinger(true, 0);
                }
                client.close();
                other.send(0, Protocol.CMD_READ, 9, HELD, 512);
                expectRead(other, 9, HELD, 512);
                assertThat(server.connectionCount()).isEqualTo(round + 2);
            }
            open();
            NbdServerTest.awaitTrue(() -> server.connectionCount() == 1);
        }
    }

    @Test
    void closingTheServerLetsWhatIsUnderWayEndAndSendsItsReplies() throws Exception {
        try (RawClient client = RawClient.simple(server)) {
            for (int i = 0; i < 3; i++) {
                client.send(0, Protocol.CMD_READ, i, i * 4096L, 4096);
            }
            NbdServerTest.awaitTrue(() -> held.get() == 3);
            Thread closer = Thread.ofPlatform().start(() -> {
                try {
                    server.close();
                } catch (IOException e) {
                    throw new java.io.UncheckedIOException(e);
                }
            });
            NbdServerTest.awaitTrue(server::isStopping);
            open();
            Set<Long> answered = new HashSet<>();
            for (int i = 0; i < 3; i++) {
                answered.add(client.readSimpleReply().cookie());
                client.in.readNBytes(4096);
            }
            assertThat(answered).hasSize(3);
            client.expectClosed();
            closer.join();
            assertThat(server.connectionCount()).isZero();
        }
    }

    @Test
    void standingStillWaitsForWhatIsUnderWayAndHoldsUpTheRest() throws Exception {
        holds = false;
        try (RawClient client = RawClient.simple(server)) {
            Thread pausing = Thread.ofPlatform().start(() -> {
                try {
                    for (int i = 0; i < 40; i++) {
                        try (Quiesced still = disk.quiesce()) {
                            assertThat(still).isNotNull();
                        }
                    }
                } catch (IOException e) {
                    throw new java.io.UncheckedIOException(e);
                }
            });
            byte[] block = new byte[4096];
            for (int round = 0; round < 60 || pausing.isAlive(); round++) {
                for (int i = 0; i < 20; i++) {
                    client.send(i % 5 == 0 ? 1 : 0, i % 2, i, HELD + i * 4096L, 4096);
                    client.out.write(block, 0, i % 2 * 4096);
                }
                for (int i = 0; i < 20; i++) {
                    SimpleReply reply = client.readSimpleReply();
                    assertThat(reply.error()).isZero();
                    client.in.readNBytes((int) (1 - reply.cookie() % 2) * 4096);
                }
            }
            pausing.join();
        }
    }
}
