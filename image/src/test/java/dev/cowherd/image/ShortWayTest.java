package dev.cowherd.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowherd.format.CompressionType;
import dev.cowherd.metadata.Waits;
import dev.cowherd.storage.Errno;
import dev.cowherd.storage.StorageException;
import dev.cowherd.storage.fiber.FiberLoop;
import dev.cowherd.storage.fiber.PlainTransfers;
import dev.cowherd.storage.filter.Fault;
import dev.cowherd.storage.filter.FaultStorage;
import dev.cowherd.storage.filter.Operation;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Which requests go past the fibers, what they hold on their way, and what becomes of their results. */
@Timeout(value = 60, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ShortWayTest {
    private static final int CLUSTER = 65_536;
    private static final int BYTES = 4096;

    @TempDir
    Path folder;

    private Path image = Path.of("");
    private final Place place = new Place();
    private final MemorySegment bytes = Arena.ofAuto().allocate(BYTES, 4096).fill((byte) 9);

    @BeforeEach
    void create() throws Exception {
        image = folder.resolve("disk.qcow2");
        ImageCreator.create(image, CreateOptions.ofSize(1 << 24).build());
    }

    private Disk open() throws IOException {
        return Disk.open(image, DiskOptions.defaults().withWritable(true).withEngine(Engine.RING));
    }

    private static boolean readable(DiskQueue queue, long offset, MemorySegment to, Place place) throws IOException {
        boolean plain = queue.beginPlainRead(offset, to, place);
        if (plain) {
            queue.endPlain();
        }
        return plain;
    }

    private static boolean writable(DiskQueue queue, long offset, MemorySegment from, Place place) throws IOException {
        boolean plain = queue.beginPlainWrite(offset, from, place);
        if (plain) {
            queue.endPlain();
        }
        return plain;
    }

    @Test
    void onlyTheBytesOfOneRunAreRead() throws IOException {
        try (Disk disk = open();
                DiskQueue queue = disk.openQueue()) {
            assertThat(readable(queue, 0, bytes, place)).as("nothing is there").isFalse();
            queue.write(0, bytes);
            assertThat(readable(queue, 0, bytes, place)).isTrue();
            long host = place.offset();
            assertThat(readable(queue, 1024, bytes, place)).isTrue();
            assertThat(place.offset()).isEqualTo(host + 1024);
            assertThat(readable(queue, CLUSTER - 512, bytes, place))
                    .as("past the cluster's end is another run")
                    .isFalse();
            assertThat(readable(queue, 0, bytes.asReadOnly(), place)).isFalse();
            assertThat(readable(queue, 0, MemorySegment.ofArray(new byte[512]), place))
                    .as("not the kernel's to fill")
                    .isFalse();
            assertThat(readable(queue, -1, bytes, place)).isFalse();
            assertThat(readable(queue, (1 << 24) - 512, bytes, place)).isFalse();
            queue.writeZeroes(0, CLUSTER, ZeroMode.KEEP_ALLOCATED);
            assertThat(readable(queue, 0, bytes, place)).as("zeros").isFalse();
        }
    }

    @Test
    void aTableThatIsNotLoadedIsNotLoadedHere() throws IOException {
        try (Disk disk = open();
                DiskQueue queue = disk.openQueue()) {
            queue.write(0, bytes);
        }
        try (Disk disk = open();
                DiskQueue queue = disk.openQueue()) {
            assertThat(readable(queue, 0, bytes, place)).isFalse();
            assertThat(writable(queue, 0, bytes, place)).isFalse();
            queue.read(0, bytes);
            assertThat(readable(queue, 0, bytes, place)).isTrue();
            assertThat(writable(queue, 0, bytes, place))
                    .as("nobody has compared its flags with the refcounts")
                    .isFalse();
            queue.write(512, bytes);
            assertThat(writable(queue, 0, bytes, place)).isTrue();
        }
    }

    @Test
    void whatTheFlagsSayIsNotBelievedBeforeTheRefcountsWereAsked() throws IOException {
        image = folder.resolve("large.qcow2");
        ImageCreator.create(image, CreateOptions.ofSize(1L << 27).build());
        try (Disk disk = open();
                DiskQueue queue = disk.openQueue()) {
            queue.write(0, bytes);
        }
        try (Disk disk = open();
                DiskQueue queue = disk.openQueue()) {
            queue.write(1L << 26, bytes);
            queue.read(0, bytes);
            assertThat(writable(queue, 0, bytes, place)).isFalse();
            queue.write(0, bytes);
            assertThat(writable(queue, 0, bytes, place)).isTrue();
        }
    }

    @Test
    void compressedBytesAndBytesBelowAreReadTheirOwnWay() throws Exception {
        Qemu qemu = new Qemu(folder);
        qemu.compressible("base.raw", 1 << 20, 1);
        qemu.img("base.qcow2", "convert", "-c", "-O", "qcow2", "base.raw", "base.qcow2");
        Path top = folder.resolve("top.qcow2");
        ImageCreator.create(
                top,
                CreateOptions.ofSize(1 << 20)
                        .compressionType(CompressionType.ZLIB)
                        .backing("base.qcow2", "qcow2")
                        .build());
        Path onRaw = folder.resolve("on-raw.qcow2");
        ImageCreator.create(
                onRaw, CreateOptions.ofSize(1 << 20).backing("base.raw", "raw").build());
        try (Disk disk = Disk.open(top, DiskOptions.defaults());
                DiskQueue queue = disk.openQueue()) {
            queue.read(0, bytes);
            assertThat(readable(queue, 0, bytes, place)).as("compressed").isFalse();
        }
        try (Disk disk = Disk.open(onRaw, DiskOptions.defaults());
                DiskQueue queue = disk.openQueue()) {
            assertThat(readable(queue, 8192, bytes, place)).isTrue();
            assertThat(place.offset()).isEqualTo(8192);
            assertThat(place.storage().name()).endsWith("base.raw");
        }
    }

    @Test
    void onlyWhatIsTheImagesOwnIsWrittenInPlace() throws IOException {
        try (Disk disk = open();
                DiskQueue queue = disk.openQueue()) {
            assertThat(writable(queue, 0, bytes, place)).as("not allocated").isFalse();
            queue.write(0, bytes);
            assertThat(writable(queue, 0, bytes, place)).isTrue();
            disk.createSnapshot("s");
            queue.read(0, bytes);
            assertThat(writable(queue, 0, bytes, place))
                    .as("shared with a snapshot")
                    .isFalse();
            queue.write(0, bytes);
            assertThat(writable(queue, 0, bytes, place)).isTrue();
        }
        try (Disk disk = Disk.open(image, DiskOptions.defaults());
                DiskQueue queue = disk.openQueue()) {
            assertThat(writable(queue, 0, bytes, place)).as("read-only").isFalse();
        }
    }

    @Test
    void nothingIsWrittenOnceWritingHasStopped() throws IOException {
        Fault fault = Fault.of(Errno.EIO, Operation.SYNC).onlyNumber(1);
        DiskOptions options =
                DiskOptions.defaults().withWritable(true).withStorageFilter(file -> new FaultStorage(file, fault));
        try (DiskQueue queue = stoppedBy(options)) {
            assertThat(writable(queue, 0, bytes, place)).isFalse();
            assertThat(readable(queue, 0, bytes, place)).isTrue();
        }
    }

    /** A queue of a disk whose first flush has failed; closing the disk would report that again. */
    private DiskQueue stoppedBy(DiskOptions options) throws IOException {
        DiskQueue queue = Disk.open(image, options).openQueue();
        queue.write(0, bytes);
        assertThat(writable(queue, 0, bytes, place)).isTrue();
        assertThatThrownBy(queue::flush).isInstanceOf(StorageException.class);
        return queue;
    }

    @Test
    void zerosAreLookedForWhereTheyShallBe() throws IOException {
        try (Disk disk = Disk.open(
                        image, DiskOptions.defaults().withWritable(true).withDetectZeroes(DetectZeroes.UNMAP));
                DiskQueue queue = disk.openQueue()) {
            queue.write(0, bytes);
            assertThat(writable(queue, 0, bytes, place)).isTrue();
            assertThat(writable(queue, 0, Arena.ofAuto().allocate(BYTES), place))
                    .isFalse();
        }
    }

    @Test
    void theStartOfAFileThatWasTakenForRawIsGuarded() throws Exception {
        Path raw = Files.write(folder.resolve("disk.raw"), new byte[1 << 20]);
        try (Disk disk = Disk.open(raw, DiskOptions.defaults().withWritable(true));
                DiskQueue queue = disk.openQueue()) {
            assertThat(writable(queue, 0, bytes, place)).isFalse();
            assertThat(writable(queue, 4, bytes, place)).isTrue();
        }
    }

    @Test
    void aClusterThatIsBeingReadIsNotGivenToAnother() throws IOException {
        try (Disk disk = open();
                DiskQueue one = disk.openQueue();
                DiskQueue other = disk.openQueue()) {
            MemorySegment cluster = Arena.ofAuto().allocate(CLUSTER, 4096).fill((byte) 1);
            one.write(0, cluster);
            assertThat(one.beginPlainRead(0, bytes, place)).isTrue();
            long inUse = place.offset();
            other.discard(0, CLUSTER);
            other.flush();
            other.write(4 * CLUSTER, cluster);
            assertThat(readable(other, 4 * CLUSTER, bytes, place)).isTrue();
            assertThat(place.offset()).isNotEqualTo(inUse);
            one.endPlain();
            other.flush();
            other.write(5 * CLUSTER, cluster);
            assertThat(readable(other, 5 * CLUSTER, bytes, place)).isTrue();
            assertThat(place.offset()).as("the cluster is free now").isEqualTo(inUse);
        }
    }

    @Test
    void aChangeOfTheWholeDiskWaitsForTheTransfer() throws Exception {
        CountDownLatch waits = new CountDownLatch(1);
        DiskOptions options = DiskOptions.defaults().withWritable(true).withWaits(signal -> {
            waits.countDown();
            Waits.PARK.await(signal);
        });
        try (Disk disk = Disk.open(image, options);
                DiskQueue queue = disk.openQueue()) {
            queue.write(0, bytes);
            assertThat(queue.beginPlainWrite(0, bytes, place)).isTrue();
            CompletableFuture<Void> quiet = CompletableFuture.runAsync(() -> {
                try (Quiesced _ = disk.quiesce()) {
                    assertThat(writableNow(queue)).as("while nothing may begin").isFalse();
                } catch (IOException e) {
                    throw new AssertionError(e);
                }
            });
            waits.await();
            assertThat(quiet).isNotDone();
            queue.endPlain();
            quiet.get();
            assertThat(writable(queue, 0, bytes, place)).isTrue();
        }
    }

    private boolean writableNow(DiskQueue queue) throws IOException {
        return writable(queue, 0, bytes, new Place());
    }

    @Test
    void aResultIsJudged() throws IOException {
        try (Disk disk = open();
                DiskQueue opener = disk.openQueue();
                FiberLoop loop = FiberLoop.open(4)) {
            opener.write(0, bytes);
            PlainTransfers transfers = loop.transfers((token, result) -> {});
            var handles = disk.reopenLayers(shared -> shared.reopenFor(loop));
            LaneShare share = LaneShare.of(disk, handles, Arena.ofAuto(), 1, loop);
            try (DiskQueue lane = disk.openLane(() -> DiskQueue.lane(disk, handles, share))) {
                ShortWay way = new ShortWay(lane, transfers, 0);
                assertThat(ended(way, loop, BYTES)).isTrue();
                assertThat(ended(way, loop, BYTES - 512)).as("short").isFalse();
                assertThat(ended(way, loop, -Errno.EINTR.number()))
                        .as("interrupted")
                        .isFalse();
                assertThatThrownBy(() -> ended(way, loop, -Errno.ENOSPC.number()))
                        .isInstanceOfSatisfying(StorageException.class, e -> {
                            assertThat(e.errno()).isEqualTo(Errno.ENOSPC.number());
                            assertThat(e.getMessage()).contains("pwrite").contains("disk.qcow2");
                        });
                assertThat(ended(way, loop, BYTES))
                        .as("whatever the result, the lane is free")
                        .isTrue();
                assertThat(way.begin(new Request.Flush(0))).isFalse();
                assertThat(way.begin(new Request.Write(0, -1, bytes))).isFalse();
            }
            for (var layer : handles) {
                layer.file().close();
            }
        }
    }

    private boolean ended(ShortWay way, FiberLoop loop, int result) throws IOException {
        assertThat(way.begin(new Request.Write(0, 0, bytes))).isTrue();
        while (loop.busy() > 0) {
            loop.turn(1);
        }
        return way.end(result);
    }

    /** A transfer comes short at the file's end: the bytes that were never written are zeros. */
    @Test
    void whatComesShortIsReadAgainOnAFiber() throws Exception {
        Path base = Files.write(folder.resolve("short.raw"), new byte[] {1, 2, 3});
        image = folder.resolve("over.qcow2");
        ImageCreator.create(
                image,
                CreateOptions.ofSize(8192)
                        .backing(base.getFileName().toString(), "raw")
                        .build());
        try (Disk disk = open();
                RequestQueue queue = disk.openRequestQueue(2)) {
            queue.submit(new Request.Read(1, 0, bytes));
            queue.await(1, (token, failure) -> assertThat(failure).isNull());
        }
        assertThat(bytes.asSlice(0, 4).toArray(ValueLayout.JAVA_BYTE)).containsExactly(1, 2, 3, 0);
    }

    @Test
    void aRequestQueueTakesIt() throws IOException {
        try (Disk disk = open();
                RequestQueue queue = disk.openRequestQueue(4)) {
            MemorySegment own = queue.allocate(4 * BYTES).fill((byte) 3);
            for (int round = 0; round < 2; round++) {
                for (int i = 0; i < 4; i++) {
                    queue.submit(new Request.Write(i, (long) i * BYTES, own.asSlice((long) i * BYTES, BYTES)));
                }
                queue.await(4, (token, failure) -> assertThat(failure).isNull());
            }
            assertThat(queue.shortWays()).as("the second four are in place").isGreaterThanOrEqualTo(4);
            long before = queue.shortWays();
            queue.submit(new Request.Read(1, BYTES, bytes));
            assertThat(queue.shortWays()).isEqualTo(before + 1);
            queue.await(1, (token, failure) -> assertThat(failure).isNull());
            assertThat(bytes.mismatch(own.asSlice(0, BYTES))).isEqualTo(-1);
        }
    }
}
