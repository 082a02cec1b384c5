package dev.cowherd.nbd;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.image.CreateOptions;
import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.Engine;
import dev.cowherd.image.ImageCreator;
import dev.cowherd.nbd.RawClient.SimpleReply;
import dev.cowherd.storage.Errno;
import dev.cowherd.storage.fiber.FailingRing;
import dev.cowherd.storage.fiber.FiberLoop;
import dev.cowherd.testkit.QemuImg;
import dev.cowherd.testkit.Ran;
import java.io.EOFException;
import java.io.IOException;
import java.net.SocketException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * io_uring_enter(2) fails in the middle of a connection, at each call in turn: that client is disconnected, and the log says why once;
 * others go on, nothing stays held or open, and the image is sound.
 */
@Timeout(value = 120, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class RingFailureTest {
    private static final int REQUESTS = 48;
    private static final int BLOCK = 16 << 10;

    @TempDir
    private Path folder;

    private final ConcurrentLinkedQueue<String> log = new ConcurrentLinkedQueue<>();
    /** Open after the last round. */
    private int descriptors;

    @Test
    void aCallThatFailsOnceCostsOneConnection() throws Exception {
        int k = 2;
        int struck = 0;
        for (int unstruck = 0; unstruck < 2; k++) {
            if (play(new FailingRing(k, 1, k % 2 == 0 ? Errno.EIO : Errno.EBADF))) {
                struck++;
                unstruck = 0;
            } else {
                unstruck++;
            }
        }
        assertThat(struck).isGreaterThan(4);
    }

    /** What the kernel may still write to is let go of by nobody before. */
    @Test
    void aRingThatFailsTakingRequestsBackKeepsThemUntilItDoes() throws Exception {
        int struck = 0;
        for (int k = 2; k < 12; k++) {
            struck += play(new FailingRing(k, 6, Errno.EBADF)) ? 1 : 0;
        }
        assertThat(struck).isPositive();
    }

    @Test
    void aPauseEndsWithTheRing() throws IOException {
        FiberLoop loop = new FailingRing(2, 1, Errno.EBADF).open(8);
        List<String> ended = new ArrayList<>();
        loop.begin(() -> ended.add("paused: " + FiberLoop.pause(60_000_000_000L)));
        while (loop.busy() > 0) {
            loop.turn(1);
        }
        assertThat(ended).containsExactly("paused: true");
        loop.close();
    }

    private boolean play(FailingRing ring) throws Exception {
        log.clear();
        Path image = folder.resolve("disk.qcow2");
        Files.deleteIfExists(image);
        ImageCreator.create(image, CreateOptions.ofSize(16 << 20).build());
        AtomicInteger opened = new AtomicInteger();
        Disk disk = Disk.open(image, DiskOptions.defaults().withWritable(true));
        try (NbdServer server = NbdServer.start(
                        new DiskExport(disk),
                        NegotiationTest.anyPort(Engine.RING).withLog(log::add),
                        depth -> opened.getAndIncrement() == 0 ? ring.open(128) : FiberLoop.open(depth));
                RawClient victim = RawClient.simple(server);
                RawClient other = RawClient.simple(server)) {
            boolean cut = useUp(victim);
            victim.socket.close();
            NbdServerTest.awaitTrue(() -> server.connectionCount() == 1);
            if (cut) {
                assertThat(ring.hasStruck()).isTrue();
                assertThat(log).singleElement().asString().contains("disconnected, for its ring failed");
            } else {
                // Once the client has all it asked for, the last calls may fail unnoticed.
                assertThat(log).hasSizeLessThanOrEqualTo(ring.hasStruck() ? 1 : 0);
            }
            goOn(other);
            // Nobody holds the disk: a structural change finds it empty.
            disk.resize(20 << 20);
            other.send(0, Protocol.CMD_READ, 3, 0, 512);
            assertThat(other.readSimpleReply()).isEqualTo(new SimpleReply(0, 3));
            other.in.readNBytes(512);
        }
        disk.close();
        // What the JVM opens once for all sockets and files is there after the first time.
        if (descriptors > 0) {
            assertThat(descriptors()).as("descriptors of the process").isEqualTo(descriptors);
        }
        descriptors = descriptors();
        Ran checked = QemuImg.v10().run("check", "-f", "qcow2", image.toString());
        assertThat(checked.exit())
                .as("the check of %s: %s%s", ring, checked.out(), checked.err())
                .isZero();
        return ring.hasStruck();
    }

    /** Sends reads, writes, trims and flushes, and takes the replies: whether the connection ended before the last. */
    private static boolean useUp(RawClient client) throws IOException {
        int[] commands = {
            Protocol.CMD_WRITE, Protocol.CMD_READ, Protocol.CMD_WRITE, Protocol.CMD_TRIM, Protocol.CMD_FLUSH
        };
        try {
            for (int round = 0; round < 3; round++) {
                for (int i = 0; i < REQUESTS; i++) {
                    int command = commands[i % commands.length];
                    client.send(
                            0,
                            command,
                            i,
                            command == Protocol.CMD_FLUSH ? 0 : (long) i * BLOCK,
                            command == Protocol.CMD_FLUSH ? 0 : BLOCK);
                    if (command == Protocol.CMD_WRITE) {
                        client.out.write(new byte[BLOCK]);
                    }
                }
                for (int i = 0; i < REQUESTS; i++) {
                    SimpleReply reply = client.readSimpleReply();
                    assertThat(reply.error()).isZero();
                    if (commands[(int) reply.cookie() % commands.length] == Protocol.CMD_READ) {
                        client.in.readFully(new byte[BLOCK]);
                    }
                }
            }
            return false;
        } catch (EOFException | SocketException e) {
            return true;
        }
    }

    /** The disk is as good as before for everybody else. */
    private static void goOn(RawClient client) throws IOException {
        client.send(0, Protocol.CMD_WRITE, 1, 0, BLOCK);
        client.out.write(new byte[BLOCK]);
        assertThat(client.readSimpleReply()).isEqualTo(new SimpleReply(0, 1));
        client.send(0, Protocol.CMD_FLUSH, 2, 0, 0);
        assertThat(client.readSimpleReply()).isEqualTo(new SimpleReply(0, 2));
    }

    private static int descriptors() throws IOException {
        try (Stream<Path> open = Files.list(Path.of("/proc/self/fd"))) {
            return (int) open.count();
        }
    }
}
