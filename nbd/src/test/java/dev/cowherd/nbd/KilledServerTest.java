package dev.cowherd.nbd;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.image.Engine;
import dev.cowherd.nbd.RawClient.SimpleReply;
import dev.cowherd.testkit.QemuImg;
import dev.cowherd.testkit.Ran;
import dev.cowherd.testkit.RunningPeer;
import java.io.IOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.RepetitionInfo;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * {@code kill -9} of a server in the middle of writes by several connections: the image opens, QEMU's check finds at most leaks,
 * and all that one connection's flush covered is there, whichever connection wrote it.
 */
@ParameterizedClass(name = "{0}")
@EnumSource(names = {"SYNC", "RING"})
class KilledServerTest {
    @Parameter
    private Engine engine = Engine.AUTO;

    private static final int BLOCK = 4096;
    private static final int BLOCKS = 4096;
    private static final int WRITERS = 4;
    private static final int FILL = 0x11111111;

    @TempDir
    private Path folder;

    /** What was sent, answered, and covered by a flush, block by block; a block's content is a number repeated. */
    private final AtomicIntegerArray sent = new AtomicIntegerArray(BLOCKS);

    private final AtomicIntegerArray answered = new AtomicIntegerArray(BLOCKS);
    private final int[] durable = new int[BLOCKS];
    private final AtomicInteger writes = new AtomicInteger();
    private final AtomicInteger flushes = new AtomicInteger();

    @RepeatedTest(4)
    void allThatWasFlushedIsThereAndTheImageIsSound(RepetitionInfo repetition) throws Exception {
        long seed = System.nanoTime() + repetition.getCurrentRepetition();
        Random random = new Random(seed);
        Path image = makeImage(repetition.getCurrentRepetition());
        Path address = folder.resolve("address");
        int killAt = 200 + random.nextInt(2000);
        try (RunningPeer server = ServerProcess.start(image, address, engine)) {
            URI uri = ServerProcess.uriIn(address);
            List<Thread> clients = new ArrayList<>();
            for (int i = 0; i < WRITERS; i++) {
                int number = i;
                clients.add(Thread.ofPlatform().start(() -> write(uri, number, new Random(seed + number))));
            }
            clients.add(Thread.ofPlatform().start(() -> flush(uri)));
            server.await("enough writes and flushes", () -> writes.get() >= killAt && flushes.get() >= 3);
            server.process().destroyForcibly();
            server.awaitEnd();
            for (Thread client : clients) {
                client.join();
            }
        }
        verify(image, "seed " + seed + ", killed after " + killAt + " writes");
    }

    /** Plain, with small clusters, over a backing file, and with subclusters, in turn. */
    private Path makeImage(int kind) throws IOException {
        Path image = folder.resolve("disk.qcow2");
        QemuImg qemu = QemuImg.v10();
        byte[] base = new byte[BLOCKS * BLOCK];
        Arrays.fill(base, (byte) FILL);
        Files.write(folder.resolve("base.raw"), base);
        switch (kind) {
            case 1 -> qemu.create(image, "16M");
            case 2 -> qemu.create(image, "16M", "-o", "cluster_size=4k,refcount_bits=64");
            case 3 -> qemu.create(image, "16M", "-b", "base.raw", "-F", "raw");
            default ->
                qemu.create(image, "16M", "-b", "base.raw", "-F", "raw", "-o", "extended_l2=on,cluster_size=128k");
        }
        return image;
    }

    /** Writes blocks of its own until the server is gone. */
    private void write(URI uri, int writer, Random random) {
        try (RawClient client = RawClient.simple(uri)) {
            for (int number = 1; ; number++) {
                int block = random.nextInt(BLOCKS / WRITERS) * WRITERS + writer;
                sent.set(block, number);
                client.send(0, Protocol.CMD_WRITE, block, (long) block * BLOCK, BLOCK);
                client.out.write(content(number));
                assertThat(client.readSimpleReply()).isEqualTo(new SimpleReply(0, block));
                answered.set(block, number);
                writes.incrementAndGet();
            }
        } catch (IOException gone) {
            assertThat(gone).isNotNull();
        }
    }

    private void flush(URI uri) {
        int[] before = new int[BLOCKS];
        try (RawClient client = RawClient.simple(uri)) {
            for (int number = 1; ; number++) {
                for (int i = 0; i < BLOCKS; i++) {
                    before[i] = answered.get(i);
                }
                client.send(0, Protocol.CMD_FLUSH, number, 0, 0);
                assertThat(client.readSimpleReply()).isEqualTo(new SimpleReply(0, number));
                System.arraycopy(before, 0, durable, 0, BLOCKS);
                // One before the first write covers nothing.
                if (Arrays.stream(before).anyMatch(written -> written > 0)) {
                    flushes.incrementAndGet();
                }
            }
        } catch (IOException gone) {
            assertThat(gone).isNotNull();
        }
    }

    private static byte[] content(int number) {
        ByteBuffer bytes = ByteBuffer.allocate(BLOCK);
        while (bytes.hasRemaining()) {
            bytes.putInt(number);
        }
        return bytes.array();
    }

    private void verify(Path image, String what) {
        Ran check = QemuImg.v10().run("check", "--output=json", image.toString());
        assertThat(check.exit()).as(what + check.out() + check.err()).isIn(0, 3);
        assertThat(check.out()).as(what).doesNotContain("\"corruptions\"");
        ByteBuffer disk = ByteBuffer.wrap(QemuImg.v10().bytesOf(image));
        int covered = 0;
        for (int block = 0; block < BLOCKS; block++) {
            int found = disk.getInt(block * BLOCK);
            for (int at = 0; at < BLOCK; at += Integer.BYTES) {
                assertThat(disk.getInt(block * BLOCK + at))
                        .as("%s, block %d", what, block)
                        .isEqualTo(found);
            }
            int least = durable[block];
            covered += least > 0 ? 1 : 0;
            if (least > 0 || (found != 0 && found != FILL)) {
                assertThat(found).as("%s, block %d, number", what, block).isBetween(least, sent.get(block));
            }
        }
        assertThat(covered).as(what).isPositive();
    }
}
