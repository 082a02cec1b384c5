package dev.cowherd.nbd;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.image.Engine;
import dev.cowherd.nbd.RawClient.SimpleReply;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** Slow clients and odd ones: each holds up itself alone, within its bounds, and gets all its answers if it asks for them. */
@ParameterizedClass(name = "{0}")
@EnumSource(names = {"SYNC", "RING"})
@Timeout(value = 60, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class BoundsTest {
    @Parameter
    private Engine engine = Engine.AUTO;

    private NbdServer start(Export export) throws IOException {
        return NbdServer.start(export, NegotiationTest.anyPort(engine).withMaxInflight(4));
    }

    @Test
    void aClientThatAsksForMuchBeforeItTakesAnyReplyGetsAllOfThem() throws Exception {
        PatternExport export = PatternExport.of(64 << 20);
        int count = 3000;
        int length = 16 << 10;
        try (NbdServer server = start(export);
                RawClient greedy = RawClient.simple(server);
                RawClient other = RawClient.simple(server)) {
            // Replies fill what the host keeps for a socket many times over; so do the requests, once nobody takes
            // them.
            CountDownLatch someSent = new CountDownLatch(1);
            Thread sender = Thread.ofPlatform().start(() -> {
                try {
                    for (int i = 0; i < count; i++) {
                        greedy.send(0, Protocol.CMD_READ, i, i * 512L, length);
                        if (i == 1000) {
                            someSent.countDown();
                        }
                    }
                } catch (IOException e) {
                    throw new IllegalStateException(e);
                }
            });
            someSent.await();
            for (int i = 0; i < 10; i++) {
                other.expectAlive(export);
            }
            Set<Long> answered = new HashSet<>();
            for (int i = 0; i < count; i++) {
                SimpleReply reply = greedy.readSimpleReply();
                assertThat(reply.error()).isZero();
                assertThat(answered.add(reply.cookie())).isTrue();
                byte[] bytes = greedy.in.readNBytes(length);
                assertThat(bytes[77]).isEqualTo(export.byteAt(reply.cookie() * 512 + 77));
            }
            sender.join();
            other.expectAlive(export);
        }
    }

    @Test
    void aClientThatSendsManyLongWritesBeforeItTakesAnyReplyGetsAllOfThem() throws Exception {
        MemoryExport export = new MemoryExport(32 << 20);
        int count = 60;
        byte[] payload = new byte[512 << 10];
        try (NbdServer server = start(export);
                RawClient client = RawClient.simple(server)) {
            for (int i = 0; i < count; i++) {
                Arrays.fill(payload, (byte) (i + 1));
                client.send(i & 1, Protocol.CMD_WRITE, i, (long) i * payload.length, payload.length);
                client.out.write(payload);
            }
            Set<Long> answered = new HashSet<>();
            for (int i = 0; i < count; i++) {
                SimpleReply reply = client.readSimpleReply();
                assertThat(reply.error()).isZero();
                assertThat(answered.add(reply.cookie())).isTrue();
            }
            for (int i = 0; i < count; i++) {
                Arrays.fill(payload, (byte) (i + 1));
                byte[] written = export.bytes((long) i * payload.length, payload.length);
                assertThat(Arrays.mismatch(written, payload)).isEqualTo(-1);
            }
        }
    }

    @Test
    void aClientThatOnlyStopsSendingGetsItsRepliesAndThenTheEnd() throws IOException {
        PatternExport export = PatternExport.of(64 << 20);
        try (NbdServer server = start(export);
                RawClient client = RawClient.simple(server)) {
            for (int i = 0; i < 20; i++) {
                client.send(0, Protocol.CMD_READ, i, 4096, 100_000);
            }
            client.socket.shutdownOutput();
            for (int i = 0; i < 20; i++) {
                assertThat(client.readSimpleReply().error()).isZero();
                assertThat(client.in.readNBytes(100_000)).isEqualTo(export.bytes(4096, 100_000));
            }
            client.expectClosed();
        }
    }

    @Test
    void whatCameBeforeAPayloadIsAnsweredWhileThePayloadIsStillAwaited() throws IOException {
        MemoryExport export = new MemoryExport(8 << 20);
        byte[] payload = new byte[3 << 20];
        Arrays.fill(payload, (byte) 9);
        try (NbdServer server = start(export);
                RawClient client = RawClient.simple(server);
                RawClient other = RawClient.simple(server)) {
            for (int length : new int[] {512, 100_000, 1 << 20, 3 << 20}) {
                ByteBuffer both = ByteBuffer.allocate(2 * Protocol.REQUEST_BYTES + 100)
                        .put(RawClient.request(0, Protocol.CMD_READ, 1, 0, 10))
                        .put(RawClient.request(0, Protocol.CMD_WRITE, 2, 4096, length))
                        .put(payload, 0, 100);
                client.out.write(both.array());
                assertThat(client.readSimpleReply()).isEqualTo(new SimpleReply(0, 1));
                client.in.readNBytes(10);
                other.send(0, Protocol.CMD_READ, 3, 0, 10);
                assertThat(other.readSimpleReply()).isEqualTo(new SimpleReply(0, 3));
                other.in.readNBytes(10);
                client.out.write(payload, 100, length - 100);
                assertThat(client.readSimpleReply()).isEqualTo(new SimpleReply(0, 2));
                assertThat(Arrays.mismatch(export.bytes(4096, length), Arrays.copyOf(payload, length)))
                        .isEqualTo(-1);
            }
        }
    }
}
