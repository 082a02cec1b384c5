package dev.cowherd.proof;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.Engine;
import dev.cowherd.image.Preallocation;
import dev.cowherd.storage.Errno;
import dev.cowherd.storage.filter.Operation;
import dev.cowherd.testkit.lab.CrashStates;
import dev.cowherd.testkit.lab.ModelDisk;
import dev.cowherd.testkit.lab.SimFault;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * A change of structure fails at each of its operations in turn, reads included, and guests go on as if nothing had been: what they are
 * promised afterwards holds, whichever header the disk has got.
 */
@EachEngine
class StructuralFaultTest {
    private final Engine engine;

    StructuralFaultTest(Engine engine) {
        this.engine = engine;
    }

    /** What fails. */
    enum Change {
        TAKE,
        APPLY,
        DELETE,
        GROW,
        GROW_WITH_SPACE,
        SHRINK
    }

    record Way(Shape shape, Change change) {}

    static Stream<Way> scripts() {
        List<Way> scripts = new ArrayList<>();
        for (Shape shape : List.of(
                Shape.plain(9),
                Shape.plain(12).withSnapshot(),
                Shape.plain(16).withExtended().over(Shape.Below.RAW))) {
            for (Change change : Change.values()) {
                scripts.add(new Way(shape, change));
            }
        }
        // Images with a data file have no internal snapshots here.
        for (Shape shape : List.of(
                Shape.plain(12).withData(Shape.Data.FILE),
                Shape.plain(9).withData(Shape.Data.RAW_FILE),
                Shape.plain(16).withExtended().over(Shape.Below.SHORT).withData(Shape.Data.FILE))) {
            scripts.add(new Way(shape, Change.GROW));
            scripts.add(new Way(shape, Change.GROW_WITH_SPACE));
            scripts.add(new Way(shape, Change.SHRINK));
        }
        return scripts.stream();
    }

    @ParameterizedTest
    @MethodSource("scripts")
    void afterAFailedChangeGuestsKeepWhatTheyArePromised(Way way) throws Exception {
        int k = 1;
        while (play(way, k)) {
            k++;
        }
        assertThat(k).as("operations that failed in turn").isGreaterThan(3);
    }

    private boolean play(Way way, int k) throws Exception {
        Shape shape = way.shape;
        Rig rig = Rig.of(shape, StructureLoad.room(shape));
        List<IOException> failures = new ArrayList<>();
        List<Boolean> outcome = new ArrayList<>();
        try {
            Stage.play(engine, stage -> outcome.addAll(play(way, k, rig, stage, failures)));
            rig.assertAtMostLeaks();
            boolean saved = outcome.getLast();
            if (saved) {
                rig.assertHoldsWhatTheModelAllows();
            }
            rig.model.checkAfterCut(rig.power.now(), rig.contents());
            CrashStates.of(rig.power)
                    .from(rig.power.now())
                    .withSeed(k)
                    .atMost(16)
                    .forEach(state -> {
                        Rig cut = rig.after(state);
                        cut.assertAtMostLeaks();
                        rig.model.checkAfterCut(state.cut(), cut.contents());
                    });
        } catch (Exception | AssertionError e) {
            throw new AssertionError(way + ", k = " + k + ": " + e + "; failures " + failures, e);
        }
        return outcome.getFirst();
    }

    /** Answers whether there was a k-th operation, and whether all that was acknowledged has been brought to the disk. */
    private static List<Boolean> play(Way way, int k, Rig rig, Stage stage, List<IOException> failures)
            throws IOException {
        Shape shape = way.shape;
        Disk disk = stage.open(rig, DiskOptions.defaults().withWritable(true));
        try (Guest guest = stage.guest(disk)) {
            new GuestLoad(guest, new DrawnScript(rig.model, shape, 7, 12, false)).call();
            MemorySegment was = MemorySegment.NULL;
            if (rig.data == null) {
                disk.createSnapshot("before");
                was = rig.contentsOf("before");
            }
            disk.resize(rig.sizeBytes() + 4096);
            new GuestLoad(guest, new DrawnScript(rig.model, shape, 8, 6, false)).call();
            Set<Operation> operations = EnumSet.copyOf(SimFault.CHANGES);
            operations.add(Operation.READ);
            // The k-th operation on either file: where the image's own k-th is not there, the data file's may be.
            fail(rig, new SimFault(operations, k, true, Errno.EIO));
            change(way.change, disk, rig, was, failures);
            boolean hit = rig.top.faultsHit() + (rig.data == null ? 0 : rig.data.faultsHit()) > 0;
            fail(rig, null);
            assertThat(failures.isEmpty()).as("told of the fault").isEqualTo(!hit);
            GuestLoad after = new GuestLoad(guest, new DrawnScript(rig.model, shape, 9 + k, 20, true));
            after.call();
            failures.addAll(after.failures());
            return List.of(hit, FaultTest.flushAndClose(disk, guest::flush, rig.model, failures));
        }
    }

    private static void fail(Rig rig, @Nullable SimFault fault) {
        rig.top.fail(fault);
        if (rig.data != null) {
            rig.data.fail(fault);
        }
    }

    private static void change(Change change, Disk disk, Rig rig, MemorySegment was, List<IOException> failures) {
        ModelDisk.Request told = switch (change) {
            case APPLY -> rig.model.beginRestore(was);
            case TAKE, DELETE, GROW, GROW_WITH_SPACE, SHRINK -> rig.model.beginZeroes(rig.sizeBytes(), 512);
        };
        try {
            switch (change) {
                case TAKE -> disk.createSnapshot("taken");
                case APPLY -> disk.applySnapshot("before");
                case DELETE -> disk.deleteSnapshot("before");
                case GROW -> disk.resize(grown(rig));
                case GROW_WITH_SPACE -> disk.resize(grown(rig), Preallocation.METADATA);
                case SHRINK -> disk.resize(rig.sizeBytes());
            }
            told.done();
        } catch (IOException e) {
            told.failed();
            failures.add(e);
        }
    }

    private static long grown(Rig rig) {
        return rig.sizeBytes() + StructureLoad.room(rig.template.shape) / 1024 * 1024;
    }
}
