package dev.cowherd.proof;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowherd.check.CheckListener;
import dev.cowherd.check.CheckOptions;
import dev.cowherd.check.CheckReport;
import dev.cowherd.check.ImageCheck;
import dev.cowherd.format.Header;
import dev.cowherd.format.L1Entry;
import dev.cowherd.format.L2Entry;
import dev.cowherd.image.BlockStatus;
import dev.cowherd.image.CreateOptions;
import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.DiskQueue;
import dev.cowherd.image.Engine;
import dev.cowherd.image.ImageCreator;
import dev.cowherd.image.Request;
import dev.cowherd.metadata.WriteStoppedException;
import dev.cowherd.storage.Errno;
import dev.cowherd.storage.StorageException;
import dev.cowherd.storage.filter.Operation;
import dev.cowherd.testkit.lab.CrashStates;
import dev.cowherd.testkit.lab.ModelDisk;
import dev.cowherd.testkit.lab.Schedules;
import dev.cowherd.testkit.lab.SimFault;
import dev.cowherd.testkit.lab.SimStorage;
import dev.cowherd.testkit.lab.SteppedStorage;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Each rule of the write half, in the smallest case that breaks without it. */
@EachEngine
class RulesTest {
    private static final DiskOptions WRITABLE = DiskOptions.defaults().withWritable(true);

    @TempDir
    Path folder;

    private final Engine engine;

    RulesTest(Engine engine) {
        this.engine = engine;
    }

    private static MemorySegment filled(long bytes, int value) {
        return Arena.ofAuto().allocate(bytes, 4096).fill((byte) value);
    }

    private static void write(Guest queue, ModelDisk model, long at, MemorySegment bytes) throws IOException {
        ModelDisk.Request request = model.beginWrite(at, bytes);
        queue.write(at, bytes);
        request.done();
    }

    private static void flush(Guest queue, ModelDisk model) throws IOException {
        ModelDisk.Flush flush = model.beginFlush();
        queue.flush();
        flush.done();
    }

    @Test
    void twoWritersOfOneClusterThatIsNotThereLoseNothing() {
        // By the ring engine on two threads, and on one, where a fiber gets less far before it has to wait for the
        // other.
        long orders = everyOrderOfTwoWriters(1);
        if (engine == Engine.RING) {
            orders += everyOrderOfTwoWriters(2);
        }
        assertThat(orders).isGreaterThan(10);
    }

    private long everyOrderOfTwoWriters(int fibers) {
        return Schedules.exhaustive(2).explore(steps -> {
            Rig rig = Rig.of(Shape.plain(12));
            DiskOptions options = WRITABLE.withWaits(signal -> steps.await(signal::isFired, "a signal"));
            try (Disk disk = rig.open(options, storage -> new SteppedStorage(storage, steps))) {
                long cluster = notThere(disk, 1);
                List<Request.Task> writers = new ArrayList<>();
                for (int q = 0; q < 2; q++) {
                    long at = cluster + q * 512L;
                    writers.add(queue -> {
                        MemorySegment bytes = filled(512, 0);
                        ModelDisk.Request request = rig.model.beginWrite(at, bytes);
                        queue.write(at, bytes);
                        request.done();
                    });
                }
                Guests.workOn(engine, steps, disk, writers, fibers);
                steps.run();
            }
            rig.assertHoldsWhatTheModelAllows();
            assertThat(rig.assertAtMostLeaks().leaks()).isZero();
        });
    }

    private static long notThere(Disk disk, int n) throws IOException {
        try (DiskQueue queue = disk.openQueue()) {
            return notThere(queue, n);
        }
    }

    /** The n-th cluster of 4096 bytes that the top layer does not have. */
    private static long notThere(DiskQueue queue, int n) throws IOException {
        int left = n;
        for (long at = 0; ; at += 4096) {
            BlockStatus status = queue.status(at, 4096);
            if ((status.depth() > 0 || !status.present()) && --left == 0) {
                return at;
            }
        }
    }

    @Test
    void aFailedAllocationLeavesWhatWasThere() throws Exception {
        Rig rig = Rig.of(Shape.plain(12).over(Shape.Below.RAW));
        Stage.play(engine, stage -> {
            try (Disk disk = stage.open(rig, WRITABLE);
                    Guest queue = stage.guest(disk)) {
                MemorySegment before = filled(disk.sizeBytes(), 9);
                queue.read(0, before);
                int failed = 0;
                for (int k = 1; k <= 3; k++) {
                    rig.top.fail(new SimFault(Set.of(Operation.WRITE), k, true, Errno.EIO));
                    long at = notThere(disk, 1) + 512;
                    try {
                        queue.write(at, before.asSlice(at, 512));
                    } catch (StorageException expected) {
                        failed++;
                    }
                }
                rig.top.fail(null);
                assertThat(failed).isPositive();
                MemorySegment after = filled(disk.sizeBytes(), 8);
                queue.read(0, after);
                assertThat(after.mismatch(before)).isEqualTo(-1);
            }
        });
        assertThat(rig.assertAtMostLeaks().leaks()).isZero();
    }

    @Test
    void aFailedSyncIsToldAndStopsWriting() throws Exception {
        Rig rig = Rig.of(Shape.plain(12));
        Stage.play(engine, stage -> {
            Disk disk = stage.open(rig, WRITABLE);
            try (Guest queue = stage.guest(disk)) {
                queue.write(0, filled(4096, 1));
                rig.top.fail(new SimFault(Set.of(Operation.SYNC), 1, true, Errno.EIO));
                assertThatThrownBy(queue::flush).isInstanceOf(StorageException.class);
                assertThatThrownBy(() -> queue.write(0, filled(512, 2))).isInstanceOf(WriteStoppedException.class);
                assertThatThrownBy(queue::flush).isInstanceOf(WriteStoppedException.class);
                MemorySegment seen = filled(4096, 7);
                queue.read(0, seen);
                assertThat(seen.mismatch(filled(4096, 1))).isEqualTo(-1);
            }
            assertThatThrownBy(disk::close)
                    .as("what was never durable is lost")
                    .isInstanceOf(WriteStoppedException.class);
        });
    }

    @Test
    void copiedFlagsThatRefcountsContradictAreNotBelieved() throws Exception {
        Rig rig = Rig.of(Shape.plain(12).withSnapshot());
        MemorySegment before = snapshotContents(rig);
        setEveryCopiedFlag(rig.top);
        Stage.play(engine, stage -> {
            try (Disk disk = stage.open(rig, WRITABLE);
                    Guest queue = stage.guest(disk)) {
                queue.write(0, filled(disk.sizeBytes(), 0x5a));
            }
        });
        assertThat(snapshotContents(rig).mismatch(before)).as("the snapshot").isEqualTo(-1);
    }

    private static MemorySegment snapshotContents(Rig rig) throws IOException {
        try (Disk disk = rig.openReading()) {
            return rig.contentsOf(disk.snapshots().getFirst().id());
        }
    }

    private static void setEveryCopiedFlag(SimStorage file) throws IOException {
        byte[] image = file.bytes();
        ByteBuffer bytes = ByteBuffer.wrap(image);
        Header header = Header.decode(bytes.duplicate(), image.length);
        for (int i = 0; i < header.l1Entries(); i++) {
            int l1At = (int) header.l1Offset() + i * L1Entry.BYTES;
            long table = L1Entry.l2Offset(bytes.getLong(l1At));
            if (table != 0) {
                bytes.putLong(l1At, bytes.getLong(l1At) | L1Entry.COPIED);
                for (int at = (int) table; at < table + header.geometry().clusterBytes(); at += 8) {
                    long word = bytes.getLong(at);
                    if (!L2Entry.isCompressed(word) && L2Entry.isAllocated(word, false)) {
                        bytes.putLong(at, word | L2Entry.COPIED);
                    }
                }
            }
        }
        file.write(0, Arena.ofAuto().allocate(image.length).copyFrom(MemorySegment.ofArray(image)));
    }

    @Test
    void compressedClustersThatShareAHostClusterKeepIt() throws Exception {
        Rig rig = Rig.of(Shape.plain(12).packed(Shape.Packing.ZLIB));
        Stage.play(engine, stage -> {
            try (Disk disk = stage.open(rig, WRITABLE);
                    Guest queue = stage.guest(disk)) {
                for (int i = 0; i < 6; i++) {
                    write(queue, rig.model, 3L * 4096 * i, filled(4096, 0));
                    flush(queue, rig.model);
                }
            }
        });
        rig.assertHoldsWhatTheModelAllows();
        assertThat(rig.assertAtMostLeaks().leaks()).isZero();
    }

    @Test
    void aRewrittenHeaderKeepsItsExtensions() throws Exception {
        Rig rig = Rig.of(Shape.plain(12).over(Shape.Below.RAW));
        Header before = header(rig.top);
        try (Disk disk = rig.open(WRITABLE, UnaryOperator.identity())) {
            disk.resize(disk.sizeBytes() + (8L << 20));
        }
        Header after = header(rig.top);
        assertThat(after.sizeBytes()).isEqualTo(before.sizeBytes() + (8L << 20));
        assertThat(before.extensions()).isNotEmpty();
        assertThat(after.extensions()).isEqualTo(before.extensions());
        assertThat(after.backingFile()).isEqualTo(before.backingFile());
        rig.assertAtMostLeaks();
    }

    private static Header header(SimStorage file) throws IOException {
        byte[] image = file.bytes();
        return Header.decode(ByteBuffer.wrap(image), image.length);
    }

    @Test
    void whatABackingFileDoesNotReachReadsAsZeros() throws Exception {
        Rig rig = Rig.of(Shape.plain(12).over(Shape.Below.SHORT));
        Stage.play(engine, stage -> {
            try (Disk disk = stage.open(rig, DiskOptions.defaults());
                    Guest queue = stage.guest(disk)) {
                MemorySegment all = filled(disk.sizeBytes(), 0xee);
                ModelDisk.Read read = rig.model.beginRead(0);
                queue.read(0, all);
                read.saw(all);
            }
        });
    }

    @Test
    void whatABackingFileHasOnlyAPartOfASectorOfEndsInZeros() throws Exception {
        byte[] base = new byte[5000];
        Arrays.fill(base, (byte) 0x5a);
        Files.write(folder.resolve("base.raw"), base);
        Path top = folder.resolve("top.qcow2");
        ImageCreator.create(
                top, CreateOptions.ofSize(64 << 10).backing("base.raw", "raw").build());
        try (Disk disk = Disk.open(top, Guests.byRing(DiskOptions.defaults()));
                Guest queue = Guest.of(engine, disk)) {
            MemorySegment all = filled(disk.sizeBytes(), 0xee);
            queue.read(0, all);
            assertThat(all.asSlice(0, base.length).mismatch(filled(base.length, 0x5a)))
                    .isEqualTo(-1);
            long rest = disk.sizeBytes() - base.length;
            assertThat(all.asSlice(base.length).mismatch(filled(rest, 0))).isEqualTo(-1);
        }
    }

    @Test
    void aDiscardedClusterDoesNotShowWhatLiesBelow() throws Exception {
        Rig rig = Rig.of(Shape.plain(12).over(Shape.Below.RAW));
        Stage.play(engine, stage -> {
            try (Disk disk = stage.open(rig, WRITABLE);
                    Guest queue = stage.guest(disk)) {
                queue.write(4096, filled(4096, 0x5a));
                queue.discard(4096, 4096);
                MemorySegment seen = filled(4096, 7);
                queue.read(4096, seen);
                byte first = seen.get(ValueLayout.JAVA_BYTE, 0);
                assertThat(first).isIn((byte) 0, (byte) 0x5a);
                assertThat(seen.mismatch(filled(4096, first))).isEqualTo(-1);
            }
        });
    }

    @Test
    void whatChangesDuringAFlushIsWrittenByTheNext() throws Exception {
        Rig rig = Rig.of(Shape.plain(12));
        HeldStorage.Holds holds = new HeldStorage.Holds();
        Disk disk = rig.open(WRITABLE, storage -> new HeldStorage(storage, holds));
        try (Guest queue = Guest.of(engine, disk)) {
            queue.write(3 * 4096, filled(4096, 3));
            HeldStorage.Hold hold = holds.next(request -> request.operation() == Operation.SYNC);
            Guest.Pending first = queue.begin(new Request.Flush(0));
            queue.getOnUntil(hold::isReached);
            queue.write(4 * 4096, filled(4096, 4));
            hold.release();
            first.await();
            queue.flush();
            // Not closed: what a flush promised must be on the disk now.
            assertThat(rig.contents().asSlice(4 * 4096, 4096).mismatch(filled(4096, 4)))
                    .isEqualTo(-1);
        } finally {
            disk.close();
        }
    }

    @Test
    void everyCutOfAFewRequestsLeavesTheImageRight() throws Exception {
        for (Shape shape : new Shape[] {Shape.plain(9), Shape.plain(9).withSnapshot()}) {
            Rig rig = Rig.of(shape);
            int cluster = shape.clusterBytes();
            Stage.play(engine, stage -> {
                try (Disk disk = stage.open(rig, WRITABLE);
                        Guest queue = stage.guest(disk)) {
                    for (int round = 0; round < 3; round++) {
                        write(queue, rig.model, (20L + round) * cluster, filled(2L * cluster, 0));
                        flush(queue, rig.model);
                        ModelDisk.Request discard = rig.model.beginDiscard((20L + round) * cluster, cluster);
                        queue.discard((20L + round) * cluster, cluster);
                        discard.done();
                        write(queue, rig.model, (40L + 2L * round) * cluster, filled(cluster, 0));
                        flush(queue, rig.model);
                    }
                }
            });
            long judged = CrashStates.of(rig.power).withSeed(1).atMost(1500).forEach(state -> {
                Rig after = rig.after(state);
                after.assertAtMostLeaks();
                rig.model.checkAfterCut(state.cut(), after.contents());
            });
            assertThat(judged).isGreaterThan(100);
        }
    }

    /** Its entry in the refcount table alone would name bytes that count nothing, not even themselves. */
    @Test
    void aNewRefcountBlockIsThereBeforeTheTableNamesIt() throws Exception {
        SimStorage file = new SimStorage("blocks.qcow2");
        ImageCreator.create(
                file,
                null,
                CreateOptions.ofSize(1 << 20).clusterBits(9).refcountOrder(6).build());
        long from = file.power().now();
        Stage.play(engine, stage -> {
            try (Disk disk = stage.open(file.reopen(), WRITABLE);
                    Guest queue = stage.guest(disk)) {
                for (int round = 0; round < 3; round++) {
                    queue.write(round * (64L << 10), filled(40 << 10, 1));
                    queue.flush();
                }
            }
        });
        CrashStates.of(file.power()).from(from).atMost(1500).forEach(state -> {
            CheckReport report =
                    ImageCheck.run(state.disks().getFirst(), new CheckOptions(1, 64 << 20), CheckListener.SILENT);
            assertThat(report.corruptions() + report.checkErrors()).isZero();
        });
    }

    @Test
    void anImageThatIsWrittenHereIsClosedToOtherWriters() throws Exception {
        Path path = folder.resolve("one.qcow2");
        ImageCreator.create(path, CreateOptions.ofSize(1 << 20).build());
        try (Disk disk = Disk.open(path, WRITABLE)) {
            assertThat(disk.isWritable()).isTrue();
            assertThatThrownBy(() -> Disk.open(path, WRITABLE)).isInstanceOf(StorageException.class);
            assertThatThrownBy(() -> Disk.open(path, DiskOptions.defaults())).isInstanceOf(StorageException.class);
        }
        Disk.open(path, WRITABLE).close();
    }

    @Test
    void aCacheThatHoldsNothingLosesNoChange() throws Exception {
        Rig rig = Rig.of(Shape.plain(9));
        Stage.play(engine, stage -> {
            try (Disk disk = stage.open(rig, WRITABLE.withSliceCacheBytes(0));
                    Guest queue = stage.guest(disk)) {
                for (long at = 0; at + 512 <= disk.sizeBytes(); at += 16 * 512) {
                    write(queue, rig.model, at, filled(512, 0));
                }
                MemorySegment all = filled(disk.sizeBytes(), 0xee);
                ModelDisk.Read read = rig.model.beginRead(0);
                queue.read(0, all);
                read.saw(all);
            }
        });
        rig.assertHoldsWhatTheModelAllows();
    }

    @Test
    void aRefcountTableThatHasMovedLeavesNothingBehind() throws Exception {
        SimStorage file = new SimStorage("grown.qcow2");
        long size = 24L << 20;
        ImageCreator.create(
                file, null, CreateOptions.ofSize(size).clusterBits(9).build());
        int tableClusters = header(file).refcountTableClusters();
        Stage.play(engine, stage -> {
            try (Disk disk = stage.open(file.reopen(), WRITABLE);
                    Guest queue = stage.guest(disk)) {
                MemorySegment bytes = filled(64 << 10, 0x5a);
                for (long at = 0; at < size; at += bytes.byteSize()) {
                    queue.write(at, bytes);
                }
            }
        });
        assertThat(header(file).refcountTableClusters()).isGreaterThan(tableClusters);
        CheckReport report = ImageCheck.run(file, new CheckOptions(1, 64 << 20), CheckListener.SILENT);
        assertThat(report.corruptions() + report.checkErrors()).isZero();
        assertThat(report.leaks()).as("leaked clusters").isZero();
        assertThat(file.sizeBytes()).isLessThan((long) (1.05 * size));
    }
}
