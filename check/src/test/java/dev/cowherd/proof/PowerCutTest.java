package dev.cowherd.proof;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.Engine;
import dev.cowherd.testkit.lab.CrashStates;
import dev.cowherd.testkit.lab.Schedules;
import dev.cowherd.testkit.lab.SimStorage;
import dev.cowherd.testkit.lab.SteppedStorage;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Whenever the power goes: the image opens, the check finds at most leaks, and the guest finds what it was promised. */
class PowerCutTest {
    private static final int STATES = Lab.count(20_000, 1_000_000);
    private static final int STRUCTURAL_STATES = Lab.count(4_000, 200_000);
    private static final Progress PROGRESS = new Progress(PowerCutTest.class, "states", STATES + STRUCTURAL_STATES);

    static Stream<Shape> shapes() {
        List<Shape> shapes = new ArrayList<>();
        for (int bits : new int[] {9, 12, 16}) {
            shapes.add(Shape.plain(bits));
            shapes.add(Shape.plain(bits).withSnapshot());
            shapes.add(Shape.plain(bits).over(Shape.Below.SHORT));
            shapes.add(Shape.plain(bits).withVersion(2).over(Shape.Below.QCOW2));
            shapes.add(Shape.plain(bits).packed(Shape.Packing.ZLIB));
            shapes.add(Shape.plain(bits).withData(Shape.Data.FILE));
        }
        shapes.add(Shape.plain(9).over(Shape.Below.DEEP));
        shapes.add(Shape.plain(16).withExtended().over(Shape.Below.DEEP));
        shapes.add(Shape.plain(9).withRefcountOrder(0));
        shapes.add(Shape.plain(9).withRefcountOrder(6).withSnapshot());
        shapes.add(Shape.plain(16).withExtended().over(Shape.Below.RAW));
        shapes.add(Shape.plain(16).withExtended().withSnapshot());
        shapes.add(Shape.plain(16).withData(Shape.Data.RAW_FILE));
        shapes.add(Shape.plain(12).withLazyRefcounts());
        shapes.add(Shape.plain(9).withLazyRefcounts().withSnapshot());
        shapes.add(Shape.plain(9).with(Shape.Room.METADATA));
        shapes.add(Shape.plain(12).with(Shape.Room.FALLOC).withSnapshot());
        shapes.add(Shape.plain(16).with(Shape.Room.FULL).withLazyRefcounts());
        shapes.add(Shape.plain(16).withExtended().over(Shape.Below.SHORT).with(Shape.Room.METADATA));
        shapes.add(Shape.plain(21));
        shapes.add(Shape.plain(21).withSnapshot());
        shapes.add(Shape.plain(21).over(Shape.Below.SHORT).withExtended());
        return shapes.stream();
    }

    /** A state of the largest clusters takes as long to judge as thirty others, for the size of its tables. */
    private static boolean isLarge(Shape shape) {
        return shape.clusterBits() == 21;
    }

    /** How many of the states a shape's runs show; of all shapes together they are no fewer than asked for. */
    private static long share(Shape shape, int runs) {
        long weights = shapes().mapToLong(one -> isLarge(one) ? 1 : 8).sum();
        long weight = isLarge(shape) ? 1 : 8;
        return Math.ceilDiv(STATES * weight, weights * runs);
    }

    @ParameterizedTest
    @MethodSource("shapes")
    void everyCutLeavesAnImageThatKeepsItsPromises(Shape shape) {
        int runs = isLarge(shape) ? Lab.count(2, 8) : Lab.count(4, 40);
        for (int i = 0; i < runs; i++) {
            long seed = Lab.seed() + i;
            Engine engine = Guests.engineOf(i);
            Lab.part(engine + ", run " + i, () -> cutGuests(shape, engine, seed, share(shape, runs)));
        }
    }

    private static void cutGuests(Shape shape, Engine engine, long seed, long states) {
        Schedules.drawn(seed, 1).explore(steps -> {
            Rig rig = Rig.of(shape);
            DiskOptions options = DiskOptions.defaults()
                    .withWritable(true)
                    .withSliceCacheBytes(8192)
                    .withWaits(signal -> steps.await(signal::isFired, "a signal"));
            Disk disk = rig.open(options, storage -> new SteppedStorage(storage, steps));
            int requests = isLarge(shape) ? 7 : 14;
            // By the ring engine: four guests of one thread, or three and one.
            Guests.work(
                    engine, steps, disk, Guests.scripts(engine, rig, seed * 31, 2, requests), seed % 4 == 1 ? 4 : 3);
            steps.run();
            assertThat(rig.power.now()).as("changes before it is closed").isPositive();
            disk.close();
            long judged = CrashStates.of(rig.power)
                    .withSeed(seed)
                    .atMost(states)
                    .forEach(state -> {
                        Rig after = rig.after(state);
                        after.assertAtMostLeaks();
                        rig.model.checkAfterCut(state.cut(), after.contentsForAll());
                        PROGRESS.add(1);
                        if (state.number() % 64 == 0) {
                            after.assertCanGoOn(seed);
                        }
                    });
            assertThat(judged).as("states").isEqualTo(states);
        });
    }

    static Stream<Shape> structuralShapes() {
        return Stream.of(
                Shape.plain(9),
                Shape.plain(9).withRefcountOrder(1),
                Shape.plain(9).withRefcountOrder(6).over(Shape.Below.SHORT),
                Shape.plain(9).withVersion(2).over(Shape.Below.LONG),
                Shape.plain(9).packed(Shape.Packing.ZSTD),
                Shape.plain(12).withSnapshot().over(Shape.Below.QCOW2),
                Shape.plain(12).over(Shape.Below.DEEP),
                Shape.plain(12).withData(Shape.Data.FILE),
                Shape.plain(12).withData(Shape.Data.RAW_FILE),
                Shape.plain(16).withExtended().over(Shape.Below.RAW));
    }

    /** One queue, or two fibers, write while the disk is resized and snapshots come, go and are applied. */
    @ParameterizedTest
    @MethodSource("structuralShapes")
    void everyCutOfAStructuralChangeLeavesItWholeOrNotThere(Shape shape) {
        int runs = Lab.count(4, 40);
        long states = Math.ceilDiv(STRUCTURAL_STATES, structuralShapes().count() * runs);
        for (int i = 0; i < runs; i++) {
            long seed = Lab.seed() + 1000 + i;
            Engine engine = Guests.engineOf(i);
            Lab.part(engine + ", run " + i, () -> cutStructure(shape, engine, seed, states));
        }
    }

    private static void cutStructure(Shape shape, Engine engine, long seed, long states) {
        Schedules.drawn(seed, 1).explore(steps -> {
            Rig rig = Rig.of(shape, StructureLoad.room(shape));
            DiskOptions options = DiskOptions.defaults()
                    .withWritable(true)
                    .withSliceCacheBytes(8192)
                    .withWaits(signal -> steps.await(signal::isFired, "a signal"));
            Disk disk = rig.open(options, storage -> new SteppedStorage(storage, steps));
            Guests.work(engine, steps, disk, Guests.scripts(engine, rig, seed * 31, 1, 12), 2);
            StructureLoad changes = new StructureLoad(rig, disk, disk.openQueue(), seed * 37, 10, false);
            steps.worker("structure", changes);
            steps.run();
            disk.close();
            rig.assertHoldsWhatTheModelAllows();
            long judged = CrashStates.of(rig.power)
                    .withSeed(seed)
                    .atMost(states)
                    .forEach(state -> {
                        Rig after = rig.after(state);
                        after.assertAtMostLeaks();
                        rig.model.checkAfterCut(state.cut(), after.contentsForAll());
                        changes.checkAfterCut(state.cut(), after);
                        PROGRESS.add(1);
                    });
            assertThat(judged).as("states").isEqualTo(states);
        });
    }

    /** As on a block device that held something else before: the header names the new size when the zeros are there. */
    @Test
    void aRawDataFileHasNothingOldInADiskThatHasGrown() throws IOException {
        Shape shape = Shape.plain(12).withData(Shape.Data.RAW_FILE);
        int more = 3 * shape.clusterBytes();
        Rig rig = Rig.of(shape, more);
        SimStorage data = Objects.requireNonNull(rig.data);
        data.truncate(shape.sizeBytes());
        data.write(shape.sizeBytes(), Arena.ofAuto().allocate(more).fill((byte) 0x5a));
        data.sync();
        long from = rig.power.now();
        try (Disk disk = rig.open(DiskOptions.defaults().withWritable(true), UnaryOperator.identity())) {
            disk.resize(shape.sizeBytes() + more);
        }
        Set<Long> sizes = new TreeSet<>();
        CrashStates.of(rig.power).from(from).withSeed(1).atMost(1500).forEach(state -> {
            Rig after = rig.after(state);
            after.assertAtMostLeaks();
            MemorySegment guest = after.contentsForAll();
            sizes.add(guest.byteSize());
            rig.model.checkAfterCut(state.cut(), guest);
        });
        assertThat(sizes).containsExactly(shape.sizeBytes(), shape.sizeBytes() + more);
    }
}
