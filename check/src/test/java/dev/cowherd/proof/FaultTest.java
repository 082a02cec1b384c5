package dev.cowherd.proof;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.DiskQueue;
import dev.cowherd.storage.Errno;
import dev.cowherd.storage.Storage;
import dev.cowherd.storage.filter.Operation;
import dev.cowherd.testkit.lab.CrashStates;
import dev.cowherd.testkit.lab.ModelDisk;
import dev.cowherd.testkit.lab.SimFault;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The k-th operation of the host fails, for every k there is: requests fail, the image stays right, and promises are kept. */
class FaultTest {
    /** One way to fail. */
    record Script(Shape shape, Set<Operation> operations, boolean once, Errno errno, long seed) {}

    static Stream<Script> scripts() {
        List<Shape> shapes = List.of(
                Shape.plain(9),
                Shape.plain(9).withSnapshot(),
                Shape.plain(12).over(Shape.Below.SHORT),
                Shape.plain(9).packed(Shape.Packing.ZLIB),
                Shape.plain(16).withExtended().over(Shape.Below.RAW),
                Shape.plain(12).withData(Shape.Data.FILE));
        List<Script> scripts = new ArrayList<>();
        long seed = Lab.seed();
        Set<Operation> writes = Set.of(Operation.WRITE, Operation.ALLOCATE, Operation.ZERO);
        for (Shape shape : Lab.count(0, 1) == 0 ? shapes : Shape.pairwise()) {
            scripts.add(new Script(shape, SimFault.CHANGES, true, Errno.EIO, seed++));
            scripts.add(new Script(shape, SimFault.CHANGES, false, Errno.EIO, seed++));
            scripts.add(new Script(shape, writes, false, Errno.ENOSPC, seed++));
            scripts.add(new Script(shape, Set.of(Operation.SYNC), true, Errno.EIO, seed++));
            scripts.add(new Script(shape, Set.of(Operation.READ), true, Errno.EIO, seed++));
        }
        return scripts.stream();
    }

    @ParameterizedTest
    @MethodSource("scripts")
    void noFaultCostsMoreThanItsOwnRequest(Script script) throws Exception {
        int k = 1;
        while (play(script, k)) {
            k++;
        }
        assertThat(k).as("operations that failed in turn").isGreaterThan(2);
    }

    /** Answers whether there was a k-th operation. */
    private static boolean play(Script script, int k) throws Exception {
        Rig rig = Rig.of(script.shape);
        boolean hit;
        List<IOException> failures = new ArrayList<>();
        try {
            Disk disk = rig.open(DiskOptions.defaults().withWritable(true), UnaryOperator.identity());
            DiskQueue queue = disk.openQueue();
            GuestLoad load = new GuestLoad(queue, rig.model, script.shape, script.seed, 30, true);
            SimFault fault = new SimFault(script.operations, k, script.once, script.errno);
            rig.top.fail(fault);
            if (rig.data != null) {
                rig.data.fail(fault);
            }
            load.call();
            failures.addAll(load.failures());
            boolean saved = flushAndClose(disk, queue, rig.model, failures);
            hit = rig.top.faultsHit() + (rig.data == null ? 0 : rig.data.faultsHit()) > 0;
            rig.top.fail(null);
            if (rig.data != null) {
                rig.data.fail(null);
            }
            assertThat(failures.isEmpty())
                    .as("a fault reaches somebody, and nothing fails without one: %s", failures)
                    .isEqualTo(!hit);
            rig.assertAtMostLeaks();
            if (saved) {
                rig.assertHoldsWhatTheModelAllows();
            }
            rig.model.checkAfterCut(rig.power.now(), rig.contents());
            judgeLastCuts(rig);
        } catch (Exception | AssertionError e) {
            throw new AssertionError(script + ", k = " + k + ": " + e + "; failures " + failures, e);
        }
        return hit;
    }

    /** Answers whether all that was acknowledged has been brought to the disk; else the end is as after a power cut. */
    static boolean flushAndClose(Disk disk, DiskQueue queue, ModelDisk model, List<IOException> failures) {
        int before = failures.size();
        try {
            ModelDisk.Flush flush = model.beginFlush();
            queue.flush();
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
    private static void judgeLastCuts(Rig rig) {
        CrashStates.of(rig.power).from(rig.power.now()).atMost(8).forEach(state -> {
            Rig after = rig.after(state);
            after.assertAtMostLeaks();
            rig.model.checkAfterCut(state.cut(), after.contents());
        });
    }

    /** A full disk fails requests until there is room again; nothing that was acknowledged is lost meanwhile. */
    @ParameterizedTest
    @MethodSource("fullShapes")
    void aFullDiskFailsWritesUntilThereIsRoomAgain(Shape shape) throws Exception {
        Rig rig = Rig.of(shape);
        try (Disk disk = rig.open(DiskOptions.defaults().withWritable(true), UnaryOperator.identity())) {
            DiskQueue queue = disk.openQueue();
            new GuestLoad(queue, rig.model, shape, 1, 20, false).call();
            for (Storage file : rig.data == null ? List.of(rig.top) : List.of(rig.top, rig.data)) {
                ((dev.cowherd.testkit.lab.SimStorage) file)
                        .fail(new SimFault(Set.of(Operation.WRITE, Operation.ALLOCATE), 1, false, Errno.ENOSPC));
            }
            GuestLoad full = new GuestLoad(queue, rig.model, shape, 2, 40, true);
            full.call();
            assertThat(full.failures()).isNotEmpty();
            rig.top.fail(null);
            if (rig.data != null) {
                rig.data.fail(null);
            }
            new GuestLoad(queue, rig.model, shape, 3, 40, false).call();
            ModelDisk.Flush flush = rig.model.beginFlush();
            queue.flush();
            flush.done();
        }
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

    static Stream<Script> structuralScripts() {
        List<Script> scripts = new ArrayList<>();
        long seed = Lab.seed() + 500;
        for (Shape shape : List.of(
                Shape.plain(9),
                Shape.plain(9).withRefcountOrder(1).over(Shape.Below.SHORT),
                Shape.plain(12).withSnapshot(),
                Shape.plain(12).withData(Shape.Data.FILE))) {
            scripts.add(new Script(shape, SimFault.CHANGES, true, Errno.EIO, seed++));
            scripts.add(new Script(shape, SimFault.CHANGES, false, Errno.ENOSPC, seed++));
        }
        return scripts.stream();
    }

    @ParameterizedTest
    @MethodSource("structuralScripts")
    void noFaultLeavesAStructuralChangeHalfDone(Script script) throws Exception {
        int k = 1;
        while (playStructural(script, k)) {
            k++;
        }
        assertThat(k).as("operations that failed in turn").isGreaterThan(5);
    }

    private static boolean playStructural(Script script, int k) throws Exception {
        Rig rig = Rig.of(script.shape, StructureLoad.room(script.shape));
        List<IOException> failures = new ArrayList<>();
        boolean hit;
        try {
            Disk disk = rig.open(DiskOptions.defaults().withWritable(true), UnaryOperator.identity());
            DiskQueue queue = disk.openQueue();
            StructureLoad changes = new StructureLoad(rig, disk, queue, script.seed, 8, true);
            SimFault fault = new SimFault(script.operations, k, script.once, script.errno);
            rig.top.fail(fault);
            changes.call();
            failures.addAll(changes.failures());
            boolean saved = flushAndClose(disk, queue, rig.model, failures);
            hit = rig.top.faultsHit() > 0;
            rig.top.fail(null);
            assertThat(failures.isEmpty())
                    .as("a fault reaches somebody, and nothing fails without one")
                    .isEqualTo(!hit);
            rig.assertAtMostLeaks();
            if (saved) {
                rig.assertHoldsWhatTheModelAllows();
                changes.checkAfterCut(rig.power.now(), rig);
            }
            rig.model.checkAfterCut(rig.power.now(), rig.contents());
            judgeLastCuts(rig);
        } catch (Exception | AssertionError e) {
            throw new AssertionError(script + ", k = " + k + ": " + e + "; failures " + failures, e);
        }
        return hit;
    }
}
