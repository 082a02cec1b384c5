package dev.cowherd.nbd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowherd.image.Engine;
import dev.cowherd.nbd.RawClient.OptionReply;
import dev.cowherd.nbd.RawClient.SimpleReply;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** The life of a server and its connections: they are apart from one another, bounded in number, and all gone at the end. */
@ParameterizedClass(name = "{0}")
@EnumSource(names = {"SYNC", "RING"})
class NbdServerTest {
    @Parameter
    private Engine engine = Engine.AUTO;

    private static final int SECONDS = 30;

    private final PatternExport export = PatternExport.of(64 << 20);

    @Test
    void connectionsReadAtTheSameTime() throws IOException {
        int clients = 20;
        CyclicBarrier allInside = new CyclicBarrier(clients);
        PatternExport gated = export.withBeforeRead(offset -> {
            try {
                allInside.await(SECONDS, TimeUnit.SECONDS);
            } catch (Exception e) {
                throw new IllegalStateException("the reads were not inside together", e);
            }
        });
        try (NbdServer server = NbdServer.start(gated, NegotiationTest.anyPort(engine))) {
            List<RawClient> open = new ArrayList<>();
            for (int i = 0; i < clients; i++) {
                open.add(RawClient.simple(server));
                open.getLast().send(0, Protocol.CMD_READ, i, i * 512L, 512);
            }
            for (int i = 0; i < clients; i++) {
                assertThat(open.get(i).readSimpleReply()).isEqualTo(new SimpleReply(0, i));
                assertThat(open.get(i).in.readNBytes(512)).isEqualTo(gated.bytes(i * 512L, 512));
            }
            assertThat(server.connectionCount()).isEqualTo(clients);
            for (RawClient client : open) {
                client.close();
            }
            awaitTrue(() -> server.connectionCount() == 0 && gated.openQueues.get() == 0);
        }
    }

    @Test
    void oneOverTheLimitIsToldSoAndItsPlaceIsFreeWhenAnotherLeaves() throws IOException {
        try (NbdServer server =
                        NbdServer.start(export, NegotiationTest.anyPort(engine).withMaxConnections(2));
                RawClient first = RawClient.simple(server)) {
            RawClient second = RawClient.simple(server);
            try (RawClient third = RawClient.greeted(server)) {
                OptionReply refused = third.expectError(Protocol.OPT_GO, RawClient.export(""), Protocol.REP_ERR_POLICY);
                assertThat(refused.text()).contains("limit of 2 connections");
                third.expectClosed();
            }
            first.expectAlive(export);
            second.close();
            awaitTrue(() -> server.connectionCount() == 1);
            try (RawClient fourth = RawClient.simple(server)) {
                fourth.expectAlive(export);
            }
        }
    }

    @Test
    void aFloodOfClientsOverTheLimitHoldsNoMoreThanABoundedNumber() throws IOException {
        List<RawClient> flood = new ArrayList<>();
        try (NbdServer server =
                        NbdServer.start(export, NegotiationTest.anyPort(engine).withMaxConnections(1));
                RawClient first = RawClient.simple(server)) {
            for (int i = 0; i < 40; i++) {
                flood.add(RawClient.connect(server));
            }
            int greeted = 0;
            for (RawClient client : flood) {
                greeted += client.in.read() < 0 ? 0 : 1;
            }
            assertThat(greeted).isEqualTo(16);
            first.expectAlive(export);
        } finally {
            for (RawClient client : flood) {
                client.close();
            }
        }
    }

    @Test
    void aClientThatTakesNoRepliesHoldsOnlyItself() throws IOException {
        NbdServer server = NbdServer.start(export, NegotiationTest.anyPort(engine));
        try (RawClient slow = RawClient.simple(server);
                RawClient other = RawClient.simple(server)) {
            for (int i = 0; i < 8; i++) {
                slow.send(0, Protocol.CMD_READ, i, 0, 32 << 20);
            }
            other.expectAlive(export);
            other.expectAlive(export);
            server.close();
            assertThat(export.openQueues).hasValue(0);
        } finally {
            server.close();
        }
    }

    @Test
    void aClientThatVanishesInsideARequestLeavesNothingBehind() throws IOException {
        ConcurrentLinkedQueue<String> log = new ConcurrentLinkedQueue<>();
        try (NbdServer server =
                        NbdServer.start(export, NegotiationTest.anyPort(engine).withLog(log::add));
                RawClient other = RawClient.simple(server)) {
            for (int i = 0; i < 30; i++) {
                RawClient victim = RawClient.simple(server);
                victim.send(0, Protocol.CMD_READ, 1, 0, 8 << 20);
                if (i % 3 == 0) {
                    victim.out.write(new byte[] {0x25, 0x60, (byte) 0x95});
                } else if (i % 3 == 1) {
                    victim.socket.setSoLinger(true, 0);
                } else {
                    victim.in.readNBytes(1 << 20);
                }
                victim.close();
                other.expectAlive(export);
            }
            awaitTrue(() -> server.connectionCount() == 1 && export.openQueues.get() == 1);
        }
        assertThat(log).isEmpty();
    }

    @Test
    void aFaultOfOurOwnFailsItsRequestAndNoMore() throws IOException {
        ConcurrentLinkedQueue<String> log = new ConcurrentLinkedQueue<>();
        AtomicInteger reads = new AtomicInteger();
        PatternExport faulty = export.withBeforeRead(offset -> {
            if (reads.getAndIncrement() == 0) {
                throw new IllegalStateException("a failed invariant");
            }
        });
        try (NbdServer server =
                        NbdServer.start(faulty, NegotiationTest.anyPort(engine).withLog(log::add));
                RawClient client = RawClient.simple(server)) {
            client.send(0, Protocol.CMD_READ, 1, 0, 512);
            assertThat(client.readSimpleReply()).isEqualTo(new SimpleReply(Protocol.EIO, 1));
            client.expectAlive(faulty);
        }
        assertThat(log).hasSize(1).first().asString().contains("a failed invariant");
    }

    @Test
    void closeLetsTheRequestsUnderWayEndAndTakesNoOther() throws Exception {
        CountDownLatch inside = new CountDownLatch(1);
        CountDownLatch goOn = new CountDownLatch(1);
        PatternExport gated = export.withBeforeRead(offset -> {
            inside.countDown();
            awaitLatch(goOn);
        });
        NbdServer server = NbdServer.start(gated, NegotiationTest.anyPort(engine));
        try (RawClient client = RawClient.simple(server)) {
            ByteBuffer two = ByteBuffer.allocate(2 * Protocol.REQUEST_BYTES)
                    .put(RawClient.request(0, Protocol.CMD_READ, 1, 100, 512))
                    .put(RawClient.request(0, Protocol.CMD_READ, 2, 100, 512));
            client.out.write(two.array());
            awaitLatch(inside);
            client.send(0, Protocol.CMD_READ, 3, 100, 512);
            Thread closer = Thread.ofPlatform().start(() -> {
                try {
                    server.close();
                } catch (IOException e) {
                    throw new java.io.UncheckedIOException(e);
                }
            });
            awaitTrue(() -> refusesConnections(server));
            awaitTrue(server::isStopping);
            goOn.countDown();
            // The ring engine had taken both that came together.
            for (int i = 1; i <= (engine == Engine.RING ? 2 : 1); i++) {
                assertThat(client.readSimpleReply()).isEqualTo(new SimpleReply(0, i));
                assertThat(client.in.readNBytes(512)).isEqualTo(gated.bytes(100, 512));
            }
            client.expectClosed();
            closer.join();
            server.awaitClosed();
            assertThat(gated.openQueues).hasValue(0);
            assertThat(server.connectionCount()).isZero();
            server.close();
        }
    }

    @Test
    void threadsAreGoneAfterClose() throws IOException {
        NbdServer server = NbdServer.start(export, NegotiationTest.anyPort(engine));
        try (RawClient idle = RawClient.simple(server);
                RawClient silent = RawClient.connect(server)) {
            silent.readGreeting();
            idle.expectAlive(export);
            server.close();
            assertThat(Thread.getAllStackTraces().keySet())
                    .noneMatch(
                            thread -> thread.getName().startsWith("nbd-client 127.0.0.1:" + idle.socket.getLocalPort())
                                    || thread.getName().equals("nbd-accept"));
        } finally {
            server.close();
        }
    }

    @Test
    void aPortInUseIsAClearError() throws IOException {
        try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            InetSocketAddress address = new InetSocketAddress(InetAddress.getLoopbackAddress(), taken.getLocalPort());
            assertThatThrownBy(() -> NbdServer.start(
                            export, NbdOptions.defaults().withEngine(engine).withAddress(address)))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("cannot listen on 127.0.0.1:" + taken.getLocalPort());
        }
    }

    @Test
    void aSocketFileOfADeadServerIsReplacedAndOursIsRemoved(@TempDir Path folder) throws IOException {
        Path path = folder.resolve("nbd.sock");
        try (ServerSocketChannel dead = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            dead.bind(UnixDomainSocketAddress.of(path));
        }
        assertThat(path).exists();
        NbdOptions options = NbdOptions.defaults().withEngine(engine).withAddress(UnixDomainSocketAddress.of(path));
        try (NbdServer server = NbdServer.start(export, options)) {
            assertThat(server.uri()).isEqualTo("nbd+unix:///?socket=" + path);
            assertThatThrownBy(() -> NbdServer.start(export, options)).hasMessageContaining("another server answers");
        }
        assertThat(path).doesNotExist();
    }

    @Test
    void aFileInThePlaceOfTheSocketStays(@TempDir Path folder) throws IOException {
        Path path = Files.writeString(folder.resolve("precious"), "data");
        NbdOptions options = NbdOptions.defaults().withEngine(engine).withAddress(UnixDomainSocketAddress.of(path));
        assertThatThrownBy(() -> NbdServer.start(export, options)).hasMessageContaining("is no socket");
        assertThat(path).hasContent("data");
    }

    @Test
    void anothersSocketFileIsNotRemovedAtTheEnd(@TempDir Path folder) throws IOException {
        Path path = folder.resolve("nbd.sock");
        NbdOptions options = NbdOptions.defaults().withEngine(engine).withAddress(UnixDomainSocketAddress.of(path));
        NbdServer server = NbdServer.start(export, options);
        Files.delete(path);
        try (NbdServer successor = NbdServer.start(export, options)) {
            server.close();
            assertThat(path).exists();
            assertThat(successor.connectionCount()).isZero();
        }
    }

    @Test
    void urisAreEscaped(@TempDir Path folder) throws IOException {
        Path path = folder.resolve("a b&c.sock");
        NbdOptions options = NbdOptions.defaults()
                .withEngine(engine)
                .withAddress(UnixDomainSocketAddress.of(path))
                .withExportName("vm/1 ü");
        try (NbdServer server = NbdServer.start(export, options)) {
            assertThat(server.uri()).isEqualTo("nbd+unix:///vm%2F1%20%C3%BC?socket=" + folder + "/a%20b%26c.sock");
        }
    }

    private static boolean refusesConnections(NbdServer server) {
        try (RawClient client = RawClient.connect(server)) {
            return client.socket.isClosed();
        } catch (IOException e) {
            return true;
        }
    }

    private static void awaitLatch(CountDownLatch latch) {
        try {
            assertThat(latch.await(SECONDS, TimeUnit.SECONDS)).isTrue();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    /** Waits for what another thread brings about soon, such as the end of a connection. */
    static void awaitTrue(BooleanSupplier condition) {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS);
        while (!condition.getAsBoolean()) {
            assertThat(System.nanoTime()).as("in time").isLessThan(end);
            LockSupport.parkNanos(1_000_000);
        }
    }
}
