package dev.cowherd.nbd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.cowherd.image.CreateOptions;
import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.Engine;
import dev.cowherd.image.ImageCreator;
import dev.cowherd.storage.CacheMode;
import dev.cowherd.storage.fiber.FiberLoop;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Which engine a server takes that was not told: the disk's, else the one that was faster for what it serves. */
@Timeout(60)
class AutoEngineTest {
    @TempDir
    private Path folder;

    @ParameterizedTest
    @CsvSource({
        "AUTO, AUTO, WRITEBACK, 64, SYNC",
        "AUTO, AUTO, WRITETHROUGH, 64, SYNC",
        "AUTO, AUTO, UNSAFE, 64, SYNC",
        "AUTO, AUTO, NONE, 64, RING",
        "AUTO, AUTO, DIRECTSYNC, 64, RING",
        "AUTO, AUTO, NONE, 2, RING",
        "AUTO, AUTO, NONE, 1, SYNC",
        "AUTO, SYNC, NONE, 64, SYNC",
        "AUTO, RING, WRITEBACK, 1, RING",
        "SYNC, RING, NONE, 64, SYNC",
        "RING, AUTO, WRITEBACK, 1, RING"
    })
    void autoTakesWhatSuitsTheDisk(Engine asked, Engine disks, CacheMode mode, int maxInflight, Engine expected)
            throws IOException {
        assumeTrue(SocketDescriptor.refusal().or(FiberLoop::refusal).isEmpty(), "no ring to be had here");
        Path image = folder.resolve("disk.qcow2");
        ImageCreator.create(image, CreateOptions.ofSize(1 << 20).build());
        ConcurrentLinkedQueue<String> said = new ConcurrentLinkedQueue<>();
        DiskOptions options =
                DiskOptions.defaults().withWritable(true).withEngine(disks).withCacheMode(mode);
        NbdOptions serving =
                NegotiationTest.anyPort(asked).withMaxInflight(maxInflight).withLog(said::add);
        try (Disk disk = Disk.open(image, options.withWarnings(said::add));
                NbdServer server = NbdServer.start(disk, serving);
                RawClient client = RawClient.simple(server)) {
            assertThat(server.engine()).isEqualTo(expected);
            client.send(0, Protocol.CMD_READ, 7, 0, 512);
            assertThat(client.readSimpleReply()).isEqualTo(new RawClient.SimpleReply(0, 7));
        }
        assertThat(said).isEmpty();
    }

    /** A ring that was asked for by name has nothing to stand in for it, whoever asked; one that nobody asked for has. */
    @ParameterizedTest
    @CsvSource({"AUTO, RING, true", "RING, AUTO, true", "RING, RING, true", "AUTO, AUTO, false"})
    void onlyARingThatNobodyAskedForIsReplaced(Engine asked, Engine disks, boolean fails) throws IOException {
        assumeTrue(SocketDescriptor.refusal().or(FiberLoop::refusal).isEmpty(), "no ring to be had here");
        Path image = folder.resolve("disk.qcow2");
        ImageCreator.create(image, CreateOptions.ofSize(1 << 20).build());
        ConcurrentLinkedQueue<String> said = new ConcurrentLinkedQueue<>();
        NbdOptions serving = NegotiationTest.anyPort(asked).withLog(said::add);
        DiskOptions options = DiskOptions.defaults().withEngine(disks).withCacheMode(CacheMode.NONE);
        try (Disk disk = Disk.open(image, options)) {
            Ways ways = Ways.to(new DiskExport(disk), serving, depth -> {
                throw new IOException("too many rings");
            });
            assertThat(ways.engine()).isEqualTo(Engine.RING);
            if (fails) {
                assertThatThrownBy(ways::open).hasMessage("too many rings");
                assertThat(said).isEmpty();
            } else {
                for (int i = 0; i < 2; i++) {
                    ways.open().close();
                }
                assertThat(said).containsExactly("using system calls instead of io_uring: too many rings");
            }
        }
    }

    @Test
    void aServerOfTheRingRefusesADiskThatWasOpenedForSystemCalls() throws IOException {
        Path image = folder.resolve("disk.qcow2");
        ImageCreator.create(image, CreateOptions.ofSize(1 << 20).build());
        try (Disk disk = Disk.open(image, DiskOptions.defaults().withEngine(Engine.SYNC))) {
            assertThatThrownBy(() -> NbdServer.start(disk, NegotiationTest.anyPort(Engine.RING)))
                    .hasMessage("the ring engine cannot be had: the disk was opened for system calls");
        }
    }
}
