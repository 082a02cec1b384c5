package dev.cowherd.nbd;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.image.CreateOptions;
import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.Engine;
import dev.cowherd.image.ImageCreator;
import dev.cowherd.nbd.RawClient.SimpleReply;
import dev.cowherd.testkit.QemuImg;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A disk is grown and shrunk by its owner while a client has requests of it in flight. */
@Timeout(value = 60, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ResizedWhileServedTest {
    private static final int SIZE = 16 << 20;
    private static final int SMALL = 8 << 20;
    private static final int BLOCK = 32 << 10;

    @TempDir
    private Path folder;

    private final ConcurrentLinkedQueue<String> log = new ConcurrentLinkedQueue<>();

    /** What stays is never touched; what comes and goes is there, or is refused, and never anything else. */
    @ParameterizedTest
    @EnumSource(names = {"SYNC", "RING"})
    void requestsInFlightAreDoneBeforeOrAfter(Engine engine) throws Exception {
        Path image = folder.resolve("disk.qcow2");
        ImageCreator.create(image, CreateOptions.ofSize(SIZE).build());
        int refused = 0;
        int done = 0;
        try (Disk disk = Disk.open(image, DiskOptions.defaults().withWritable(true));
                NbdServer server =
                        NbdServer.start(disk, NegotiationTest.anyPort(engine).withLog(log::add));
                RawClient client = RawClient.simple(server)) {
            Thread resizing = Thread.ofPlatform().start(() -> {
                try {
                    for (int i = 0; i < 40; i++) {
                        disk.resize(i % 2 == 0 ? SMALL : SIZE + i * 512L);
                    }
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            });
            byte[] bytes = new byte[BLOCK];
            for (int round = 0; round < 20 || resizing.isAlive(); round++) {
                Arrays.fill(bytes, (byte) (round + 1));
                for (int i = 0; i < 16; i++) {
                    client.send(0, Protocol.CMD_WRITE, i, at(i), BLOCK);
                    client.out.write(bytes);
                }
                for (int i = 0; i < 16; i++) {
                    SimpleReply reply = client.readSimpleReply();
                    assertThat(reply.error()).isIn(0, reply.cookie() % 2 == 0 ? 0 : Protocol.EIO);
                    refused += reply.error() == 0 ? 0 : 1;
                }
                for (int i = 0; i < 16; i++) {
                    client.send(0, Protocol.CMD_READ, i, at(i), BLOCK);
                }
                for (int i = 0; i < 16; i++) {
                    SimpleReply reply = client.readSimpleReply();
                    boolean stays = reply.cookie() % 2 == 0;
                    assertThat(reply.error()).isIn(0, stays ? 0 : Protocol.EIO);
                    if (reply.error() != 0) {
                        refused++;
                        continue;
                    }
                    done++;
                    byte[] seen = client.in.readNBytes(BLOCK);
                    byte first = seen[0];
                    byte[] whole = new byte[BLOCK];
                    Arrays.fill(whole, first);
                    assertThat(seen).isEqualTo(whole);
                    // Past the smaller end there are zeros, too, if the disk has been small in between.
                    assertThat(first).isIn((byte) (round + 1), stays ? (byte) (round + 1) : (byte) 0);
                }
            }
            resizing.join();
            assertThat(disk.sizeBytes()).isEqualTo(SIZE + 39 * 512L);
        }
        assertThat(done).isPositive();
        assertThat(log.isEmpty()).isEqualTo(refused == 0);
        QemuImg.v10().run("check", "-f", "qcow2", image.toString()).orFail();
    }

    /** Even requests go to what stays, odd ones to what comes and goes. */
    private static long at(int i) {
        return (i % 2 == 0 ? 0 : SMALL) + (long) i * BLOCK;
    }
}
