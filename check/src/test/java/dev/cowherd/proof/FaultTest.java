package dev.cowherd.proof;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.Engine;
import dev.cowherd.storage.Errno;
import dev.cowherd.storage.filter.Operation;
import dev.cowherd.testkit.lab.CrashStates;
import dev.cowherd.testkit.lab.ModelDisk;
import dev.cowherd.testkit.lab.Schedules;
import dev.cowherd.testkit.lab.SimFault;
import dev.cowherd.testkit.lab.StepScheduler;
import dev.cowherd.testkit.lab.SteppedStorage;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The k-th operation of the host fails, for every k there is: requests fail, the image stays right, and promises are kept. */
class FaultTest {
    private static final Progress PROGRESS = new Progress(FaultTest.class, "faults", 0);

    /** One way to fail; drawn from the seed of the suite and its own number. */
    record Way(
            Engine engine, Shape shape, Set<Operation> operations, boolean once, Errno errno, long base, int number) {
        long seed() {
            return base + number;
        }

        AssertionError failed(int k, Throwable e, List<IOException> failures) {
            return new AssertionError(
                    this + ", k = " + k + " (-Dcowherd.seed=" + base + "): " + e + "; failures " + failures, e);
        }
    }

    static Stream<Way> scripts() {
        List<Shape> shapes = List.of(
                Shape.plain(9),
                Shape.plain(9).withSnapshot(),
                Shape.plain(12).over(Shape.Below.SHORT),
                Shape.plain(9).packed(Shape.Packing.ZLIB),
                Shape.plain(16).withExtended().over(Shape.Below.RAW),
                Shape.plain(12).withData(Shape.Data.FILE));
        List<Way> ways = new ArrayList<>();
        long seed = Lab.seed();
        int number = 0;
        Set<Operation> writes = Set.of(Operation.WRITE, Operation.ALLOCATE, Operation.ZERO);
        for (Engine engine : Guests.ENGINES) {
            for (Shape shape : Lab.count(0, 1) == 0 ? shapes : Shape.pairwise()) {
                ways.add(new Way(engine, shape, SimFault.CHANGES, true, Errno.EIO, seed, number++));
                ways.add(new Way(engine, shape, SimFault.CHANGES, false, Errno.EIO, seed, number++));
                ways.add(new Way(engine, shape, writes, false, Errno.ENOSPC, seed, number++));
                ways.add(new Way(engine, shape, Set.of(Operation.SYNC), true, Errno.EIO, seed, number++));
                ways.add(new Way(engine, shape, Set.of(Operation.READ), true, Errno.EIO, seed, number++));
            }
        }
        return ways.stream();
    }

    @ParameterizedTest
    @MethodSource("scripts")
    void noFaultCostsMoreThanItsOwnRequest(Way way) throws Exception {
        int k = 1;
        while (play(way, k)) {
            k++;
            PROGRESS.add(1);
        }
        assertThat(k).as("operations that failed in turn").isGreaterThan(2);
    }

    /** Answers whether there was a k-th operation. */
    private static boolean play(Way way, int k) throws Exception {
        Rig rig = Rig.of(way.shape);
        boolean hit;
        List<IOException> failures = new ArrayList<>();
        try {
            // By the ring engine three guests share the requests, in the same order for every k up to the fault.
            List<Script> scripts =
                    DrawnScript.several(way.engine == Engine.RING ? 3 : 1, rig.model, way.shape, way.seed(), 30, true);
            List<Disk> opened = new ArrayList<>();
            Schedules.drawn(way.seed(), 1).explore(steps -> {
                Disk disk = rig.open(stepped(steps), storage -> new SteppedStorage(storage, steps));
                opened.add(disk);
                Guests.work(way.engine, steps, disk, scripts, scripts.size());
                fail(rig, new SimFault(way.operations, k, way.once, way.errno));
                steps.run();
            });
            scripts.forEach(script -> failures.addAll(script.failures()));
            Disk disk = opened.getFirst();
            boolean saved = flushAndClose(disk, disk.openQueue()::flush, rig.model, failures);
            hit = rig.top.faultsHit() + (rig.data == null ? 0 : rig.data.faultsHit()) > 0;
            fail(rig, null);
            assertThat(failures.isEmpty())
                    .as("a fault reaches somebody, and nothing fails without one: %s", failures)
                    .isEqualTo(!hit);
            rig.assertAtMostLeaks();
            if (saved) {
                rig.assertHoldsWhatTheModelAllows();
            }
            rig.model.checkAfterCut(rig.power.now(), rig.contents());
            judgeLastCuts(rig, way.seed() + k);
        } catch (Exception | AssertionError e) {
            throw way.failed(k, e, failures);
        }
        return hit;
    }

    private static DiskOptions stepped(StepScheduler steps) {
        return DiskOptions.defaults().withWritable(true).withWaits(signal -> steps.await(signal::isFired, "a signal"));
    }

    private static void fail(Rig rig, @Nullable SimFault fault) {
        rig.top.fail(fault);
        if (rig.data != null) {
            rig.data.fail(fault);
        }
    }

    /** A guest that promises itself something. */
    interface Flushing {
        void flush() throws IOException;
    }

    /** Answers whether all that was acknowledged has been brought to the disk; else the end is as after a power cut. */
    static boolean flushAndClose(Disk disk, Flushing guest, ModelDisk model, List<IOException> failures) {
        int before = failures.size();
        try {
            ModelDisk.Flush flush = model.beginFlush();
            guest.flush();
            flush.done();
        } catch (IOException e) {
            failures.add(e);
        }
        try {
            disk.close();
        } catch (IOException e) {
            failures.add(e);
            return false;
        }
        return failures.size() == before;
    }

    /** The power goes at the end too: what a failed sync left to chance must not matter for what was promised. */
    private static void judgeLastCuts(Rig rig, long seed) {
        CrashStates.of(rig.power).from(rig.power.now()).withSeed(seed).atMost(8).forEach(state -> {
            Rig after = rig.after(state);
            after.assertAtMostLeaks();
            rig.model.checkAfterCut(state.cut(), after.contents());
        });
    }

    /** A full disk fails requests until there is room again; nothing that was acknowledged is lost meanwhile. */
    @ParameterizedTest
    @MethodSource("fullShapes")
    void aFullDiskFailsWritesUntilThereIsRoomAgain(Shape shape) {
        for (Engine engine : Guests.ENGINES) {
            try {
                fillUp(engine, shape);
            } catch (Exception | AssertionError e) {
                throw new AssertionError(shape + ", " + engine + ": " + e, e);
            }
        }
    }

    private static void fillUp(Engine engine, Shape shape) throws Exception {
        Rig rig = Rig.of(shape);
        Stage.play(engine, stage -> {
            try (Disk disk = stage.open(rig, DiskOptions.defaults().withWritable(true));
                    Guest guest = stage.guest(disk)) {
                new GuestLoad(guest, new DrawnScript(rig.model, shape, 1, 20, false)).call();
                fail(rig, new SimFault(Set.of(Operation.WRITE, Operation.ALLOCATE), 1, false, Errno.ENOSPC));
                GuestLoad full = new GuestLoad(guest, new DrawnScript(rig.model, shape, 2, 40, true));
                full.call();
                assertThat(full.failures()).isNotEmpty();
                fail(rig, null);
                new GuestLoad(guest, new DrawnScript(rig.model, shape, 3, 40, false)).call();
                ModelDisk.Flush flush = rig.model.beginFlush();
                guest.flush();
                flush.done();
            }
        });
        rig.assertAtMostLeaks();
        rig.assertHoldsWhatTheModelAllows();
    }

    static Stream<Shape> fullShapes() {
        return Stream.of(
                Shape.plain(9),
                Shape.plain(12).withSnapshot(),
                Shape.plain(16),
                Shape.plain(12).over(Shape.Below.RAW));
    }

    static Stream<Way> structuralScripts() {
        List<Way> ways = new ArrayList<>();
        long seed = Lab.seed();
        int number = 500;
        for (Engine engine : Guests.ENGINES) {
            for (Shape shape : List.of(
                    Shape.plain(9),
                    Shape.plain(9).withRefcountOrder(1).over(Shape.Below.SHORT),
                    Shape.plain(12).withSnapshot(),
                    Shape.plain(12).withData(Shape.Data.FILE))) {
                ways.add(new Way(engine, shape, SimFault.CHANGES, true, Errno.EIO, seed, number++));
                ways.add(new Way(engine, shape, SimFault.CHANGES, false, Errno.ENOSPC, seed, number++));
            }
        }
        return ways.stream();
    }

    @ParameterizedTest
    @MethodSource("structuralScripts")
    void noFaultLeavesAStructuralChangeHalfDone(Way way) throws Exception {
        int k = 1;
        while (playStructural(way, k)) {
            k++;
            PROGRESS.add(1);
        }
        assertThat(k).as("operations that failed in turn").isGreaterThan(5);
    }

    private static boolean playStructural(Way way, int k) throws Exception {
        Rig rig = Rig.of(way.shape, StructureLoad.room(way.shape));
        List<IOException> failures = new ArrayList<>();
        boolean hit;
        try {
            List<Disk> opened = new ArrayList<>();
            List<StructureLoad> structures = new ArrayList<>();
            // With the ring engine, two guests of one thread beside the changes.
            List<Script> scripts = way.engine == Engine.SYNC
                    ? List.of()
                    : DrawnScript.several(2, rig.model, way.shape, way.seed(), 8, true);
            Schedules.drawn(way.seed(), 1).explore(steps -> {
                Disk disk = rig.open(stepped(steps), storage -> new SteppedStorage(storage, steps));
                opened.add(disk);
                structures.add(new StructureLoad(rig, disk, disk.openQueue(), way.seed(), 8, true));
                steps.worker("structure", structures.getFirst());
                Guests.work(way.engine, steps, disk, scripts, 2);
                fail(rig, new SimFault(way.operations, k, way.once, way.errno));
                steps.run();
            });
            Disk disk = opened.getFirst();
            StructureLoad changes = structures.getFirst();
            failures.addAll(changes.failures());
            scripts.forEach(script -> failures.addAll(script.failures()));
            boolean saved = flushAndClose(disk, disk.openQueue()::flush, rig.model, failures);
            hit = rig.top.faultsHit() + (rig.data == null ? 0 : rig.data.faultsHit()) > 0;
            fail(rig, null);
            assertThat(failures.isEmpty())
                    .as("a fault reaches somebody, and nothing fails without one")
                    .isEqualTo(!hit);
            rig.assertAtMostLeaks();
            if (saved) {
                rig.assertHoldsWhatTheModelAllows();
                changes.checkAfterCut(rig.power.now(), rig);
            }
            rig.model.checkAfterCut(rig.power.now(), rig.contents());
            judgeLastCuts(rig, way.seed() + k);
        } catch (Exception | AssertionError e) {
            throw way.failed(k, e, failures);
        }
        return hit;
    }
}
