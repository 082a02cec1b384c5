package dev.cowherd.storage.ring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.cowherd.storage.Errno;
import dev.cowherd.storage.linux.Libc;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What a server does with sockets, over one ring. */
@Timeout(60)
class SocketRequestsTest {
    @TempDir
    Path folder;

    private final Arena arena = Arena.ofConfined();
    private final Seen seen = new Seen();
    private Ring ring;
    private SocketRequests requests;
    private HostPipes.Pair sockets;
    private RingDescriptor one;
    private RingDescriptor other;

    @BeforeEach
    void open() throws IOException {
        assumeTrue(Ring.probe().isEmpty());
        ring = Ring.open(RingOptions.ofEntries(16));
        requests = new SocketRequests(ring);
        sockets = HostPipes.sockets();
        one = ring.files().register(sockets.first());
        other = RingDescriptor.of(sockets.second());
    }

    @AfterEach
    void close() throws IOException {
        if (ring != null) {
            ring.close();
            sockets.close();
        }
        arena.close();
    }

    private MemorySegment filled(int bytes, int value) {
        return arena.allocate(bytes).fill((byte) value);
    }

    @Test
    void aReceiveOfAWholeSegmentWaitsForItsLastByte() throws IOException {
        MemorySegment room = arena.allocate(300);
        requests.receive(one, room, true, 1);
        requests.send(other, filled(100, 1), 2);
        ring.submitAndWait(1, Seen.LIMIT, seen);
        assertThat(seen.of(2)).isEqualTo(100);
        assertThat(ring.submitAndWait(0, Seen.LIMIT, seen)).isZero();
        MemorySegment[] parts = {filled(150, 2), filled(50, 3)};
        requests.sendv(other, parts, 2, 3);
        ring.submitAndWait(2, Seen.LIMIT, seen);
        assertThat(seen.of(3)).isEqualTo(200);
        assertThat(seen.of(1)).isEqualTo(300);
        assertThat(room.asSlice(100, 150).toArray(ValueLayout.JAVA_BYTE)).containsOnly(2);
        assertThat(room.asSlice(250, 50).toArray(ValueLayout.JAVA_BYTE)).containsOnly(3);
    }

    @Test
    void aReceiveTakesWhatThereIsIntoSeveralBuffers() throws IOException {
        HostPipes.write(sockets.second(), 120, 5);
        MemorySegment[] rooms = {arena.allocate(100), arena.allocate(100)};
        requests.receivev(one, rooms, 2, false, 1);
        ring.submitAndWait(1, Seen.LIMIT, seen);
        assertThat(seen.of(1)).isEqualTo(120);
        assertThat(rooms[0].toArray(ValueLayout.JAVA_BYTE)).containsOnly(5);
        assertThat(rooms[1].asSlice(0, 20).toArray(ValueLayout.JAVA_BYTE)).containsOnly(5);
    }

    @Test
    void aLargeSendGoesOnAsThePeerTakesIt() throws IOException {
        MemorySegment large = filled(8 << 20, 6);
        MemorySegment room = arena.allocate(8 << 20);
        requests.send(one, large, 1);
        requests.receive(other, room, true, 2);
        ring.submitAndWait(2, Seen.LIMIT, seen);
        assertThat(seen.of(1)).isEqualTo(8 << 20);
        assertThat(seen.of(2)).isEqualTo(8 << 20);
        assertThat(room.mismatch(large)).isEqualTo(-1);
    }

    @Test
    void theEndOfAConnectionIsZeroBytesAndThenABrokenPipe() throws IOException {
        MemorySegment room = arena.allocate(10);
        requests.receive(one, room, false, 1);
        requests.shutdown(other, 2, 2);
        ring.submitAndWait(2, Seen.LIMIT, seen);
        assertThat(seen.of(1)).isZero();
        assertThat(seen.of(2)).isZero();
        requests.send(one, room, 3);
        ring.submitAndWait(1, Seen.LIMIT, seen);
        assertThat(seen.of(3)).isEqualTo(-Errno.EPIPE.number());
    }

    @Test
    void connectionsAreTakenOneByOneOrUntilTakenBack() throws IOException {
        Path path = folder.resolve("socket");
        int listening = HostPipes.listener(path);
        RingDescriptor listener = RingDescriptor.of(listening);
        List<SocketChannel> clients = new ArrayList<>();
        requests.accept(listener, false, 1);
        long accepting = 0;
        for (int i = 0; i < 4; i++) {
            if (i == 1) {
                accepting = requests.accept(listener, true, 2);
            }
            ring.submit();
            SocketChannel client = SocketChannel.open(StandardProtocolFamily.UNIX);
            client.connect(UnixDomainSocketAddress.of(path));
            clients.add(client);
            ring.submitAndWait(1, Seen.LIMIT, seen);
        }
        ring.cancel(accepting, 3);
        ring.submitAndWait(2, Seen.LIMIT, seen);
        assertThat(seen.results.get(2L)).hasSize(4).last().isEqualTo(-Errno.ECANCELED.number());
        int connection = seen.of(1);
        requests.send(RingDescriptor.of(connection), filled(10, 1), 4);
        ring.submitAndWait(1, Seen.LIMIT, seen);
        assertThat(clients.getFirst().read(ByteBuffer.allocate(100))).isEqualTo(10);
        for (SocketChannel client : clients) {
            client.close();
        }
        seen.results.getOrDefault(2L, List.of()).stream().filter(fd -> fd >= 0).forEach(Libc.HOST::close);
        Libc.HOST.close(connection);
        Libc.HOST.close(listening);
    }

    @Test
    void closingUnderLoadTakesBackReceivesAndSends() throws IOException {
        MemorySegment room = ring.buffers().allocate(1 << 20);
        for (int i = 0; i < 50; i++) {
            requests.receive(one, room.asSlice(i * 100L, 100), true, i);
        }
        MemorySegment large = ring.buffers().allocate(64 << 20);
        requests.send(one, large, 100);
        ring.submit();
        ring.close(seen);
        assertThat(seen.order).hasSize(51).doesNotHaveDuplicates();
    }
}
