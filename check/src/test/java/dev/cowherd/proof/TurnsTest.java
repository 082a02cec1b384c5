package dev.cowherd.proof;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.check.CheckListener;
import dev.cowherd.check.CheckOptions;
import dev.cowherd.check.CheckReport;
import dev.cowherd.check.ImageCheck;
import dev.cowherd.format.Snapshot;
import dev.cowherd.image.CreateOptions;
import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.DiskQueue;
import dev.cowherd.image.Engine;
import dev.cowherd.image.ImageCreator;
import dev.cowherd.image.Request;
import dev.cowherd.testkit.lab.CrashStates;
import dev.cowherd.testkit.lab.ModelDisk;
import dev.cowherd.testkit.lab.Power;
import dev.cowherd.testkit.lab.Schedules;
import dev.cowherd.testkit.lab.SimStorage;
import dev.cowherd.testkit.lab.StepScheduler;
import dev.cowherd.testkit.lab.SteppedStorage;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

/** What takes a turn comes one at a time: rounds of the flush, new refcount tables, changes of a disk's structure. */
@EachEngine
class TurnsTest {
    private static final CheckOptions CHECK = new CheckOptions(1, 64 << 20);

    private final Engine engine;

    /** Each order is cut in other ways. */
    private long order;

    TurnsTest(Engine engine) {
        this.engine = engine;
    }

    private static DiskOptions stepped(StepScheduler steps) {
        return DiskOptions.defaults().withWritable(true).withWaits(signal -> steps.await(signal::isFired, "a signal"));
    }

    private static MemorySegment room(long bytes) {
        return Arena.ofAuto().allocate(bytes, 4096);
    }

    private static void writeAndFlush(DiskQueue queue, ModelDisk model, long at) throws IOException {
        MemorySegment bytes = room(512);
        ModelDisk.Request write = model.beginWrite(at, bytes);
        queue.write(at, bytes);
        write.done();
        ModelDisk.Flush flush = model.beginFlush();
        queue.flush();
        flush.done();
    }

    /** A round that passes another one would find nothing dirty, and promise what the other has not written yet. */
    @Test
    void aFlushPromisesNothingThatAnotherOneHasStillToWrite() {
        Shape shape = Shape.plain(9);
        long orders = Schedules.drawn(Lab.seed(), Lab.count(40, 1000)).explore(steps -> {
            Rig rig = Rig.of(shape);
            try (Disk disk = rig.open(stepped(steps), storage -> new SteppedStorage(storage, steps))) {
                List<Request.Task> guests = new ArrayList<>();
                for (int q = 0; q < 2; q++) {
                    long at = (3 + q) * 512L;
                    guests.add(queue -> writeAndFlush(queue, rig.model, at));
                }
                Guests.workOn(engine, steps, disk, guests, 2);
                steps.run();
            }
            CrashStates.of(rig.power).withSeed(order++).atMost(80).forEach(state -> {
                Rig after = rig.after(state);
                after.assertAtMostLeaks();
                rig.model.checkAfterCut(state.cut(), after.contents());
            });
        });
        assertThat(orders).isPositive();
    }

    /** An image of clusters of 512 bytes whose refcount table has place for very few clusters more. */
    private static SimStorage nearlyFull(Power power) throws IOException {
        SimStorage file = new SimStorage("nearly-full.qcow2", power);
        ImageCreator.create(
                file,
                null,
                CreateOptions.ofSize(4 << 20).clusterBits(9).refcountOrder(6).build());
        try (Disk disk = Disk.open(file.reopen(), DiskOptions.defaults().withWritable(true));
                DiskQueue queue = disk.openQueue()) {
            // A table of 64 blocks with 64 refcounts each reaches 2 MiB.
            for (long at = 0; file.sizeBytes() < (2 << 20) - 512; at += 512) {
                queue.write(at, room(512).fill((byte) 1));
                if (at % (64 << 10) == 0) {
                    queue.flush();
                }
            }
        }
        return file;
    }

    @Test
    void theRefcountTableGrowsOnceForAllWhoNeedItAndBesideFlushes() throws IOException {
        byte[] before = nearlyFull(new Power()).bytes();
        long orders = Schedules.drawn(Lab.seed(), Lab.count(100, 5000)).explore(steps -> {
            Power power = new Power();
            SimStorage file = SimStorage.holding("nearly-full.qcow2", MemorySegment.ofArray(before), power);
            try (Disk disk = Disk.open(new SteppedStorage(file.reopen(), steps), Guests.byRing(stepped(steps)))) {
                List<Request.Task> guests = new ArrayList<>();
                for (int q = 0; q < 3; q++) {
                    long at = (3L << 20) + q * (96L << 10);
                    boolean flushes = q == 2;
                    guests.add(queue -> {
                        for (int i = 0; i < 3; i++) {
                            queue.write(at + i * 512L, room(512).fill((byte) 2));
                            if (flushes) {
                                queue.flush();
                            }
                        }
                    });
                }
                Guests.workOn(engine, steps, disk, guests, 2);
                steps.run();
            }
            CheckReport report = ImageCheck.run(file, CHECK, CheckListener.SILENT);
            assertThat(report.corruptions() + report.checkErrors() + report.leaks())
                    .isZero();
            CrashStates.of(power).withSeed(order++).atMost(40).forEach(state -> {
                CheckReport cut = ImageCheck.run(state.disks().getFirst(), CHECK, CheckListener.SILENT);
                assertThat(cut.corruptions() + cut.checkErrors()).isZero();
            });
        });
        assertThat(orders).isPositive();
    }

    /** Two snapshots and a new size at once, and a queue that is opened meanwhile. */
    @Test
    void structuralChangesOfManyThreadsComeOneAfterTheOther() {
        Shape shape = Shape.plain(9);
        long orders = Schedules.drawn(Lab.seed(), Lab.count(100, 5000)).explore(steps -> {
            Rig rig = Rig.of(shape, 8 << 10);
            long size = rig.sizeBytes();
            try (Disk disk = rig.open(stepped(steps), storage -> new SteppedStorage(storage, steps))) {
                steps.worker("first", () -> disk.createSnapshot("first"));
                steps.worker("second", () -> disk.createSnapshot("second"));
                steps.worker("size", () -> {
                    disk.resize(size + (8 << 10));
                    return null;
                });
                steps.worker("late queue", () -> {
                    try (Guest guest = Guest.of(engine, disk)) {
                        guest.perform(new Request.Work(0, queue -> writeAndFlush(queue, rig.model, 3 * 512)));
                    }
                    return null;
                });
                steps.run();
                assertThat(disk.snapshots()).extracting(Snapshot::name).containsExactlyInAnyOrder("first", "second");
            }
            assertThat(rig.assertAtMostLeaks().leaks()).isZero();
            try (Disk disk = rig.open(DiskOptions.defaults(), UnaryOperator.identity())) {
                assertThat(disk.snapshots()).hasSize(2);
                assertThat(disk.sizeBytes()).isEqualTo(size + (8 << 10));
            }
            rig.assertHoldsWhatTheModelAllows();
        });
        assertThat(orders).isPositive();
    }
}
