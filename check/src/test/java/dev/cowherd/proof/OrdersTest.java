package dev.cowherd.proof;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.DiskQueue;
import dev.cowherd.image.ZeroMode;
import dev.cowherd.testkit.lab.ModelDisk;
import dev.cowherd.testkit.lab.Schedules;
import dev.cowherd.testkit.lab.StepScheduler;
import dev.cowherd.testkit.lab.SteppedStorage;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Queues whose steps come in every order, or in many drawn ones: no order loses a byte, and none waits in a circle. */
class OrdersTest {
    private static final int MOST_ORDERS = Lab.count(3_000, 1_000_000);
    private static final int DRAWN = Lab.count(2_000, 100_000);

    /** With a cache of two slices, each of which costs 128 bytes beside its words. */
    private static DiskOptions stepped(Shape shape, StepScheduler steps) {
        return DiskOptions.defaults()
                .withWritable(true)
                .withSliceCacheBytes(2L * (Math.min(shape.clusterBytes(), 4096) + 128))
                .withWaits(signal -> steps.await(signal::isFired, "a signal"));
    }

    /** What a queue does in the small scenarios, each letter one request on the two clusters from 3 on. */
    private static Void does(String requests, DiskQueue queue, ModelDisk model, int clusterBytes) throws IOException {
        long at = 3L * clusterBytes;
        for (int i = 0; i < requests.length(); i++) {
            MemorySegment bytes = Arena.ofAuto().allocate(clusterBytes);
            switch (requests.charAt(i)) {
                case 'w' -> write(queue, model, at, bytes);
                case 'x' -> write(queue, model, at + clusterBytes, bytes);
                case 'b' -> write(queue, model, at, Arena.ofAuto().allocate(2L * clusterBytes));
                case 'z' -> {
                    ModelDisk.Request zero = model.beginZeroes(at, clusterBytes);
                    queue.writeZeroes(at, clusterBytes, ZeroMode.MAY_UNMAP);
                    zero.done();
                }
                case 'd' -> {
                    ModelDisk.Request discard = model.beginDiscard(at, clusterBytes);
                    queue.discard(at, clusterBytes);
                    discard.done();
                }
                case 'r' -> {
                    ModelDisk.Read read = model.beginRead(at);
                    queue.read(at, bytes);
                    read.saw(bytes);
                }
                case 'f' -> {
                    ModelDisk.Flush flush = model.beginFlush();
                    queue.flush();
                    flush.done();
                }
                default -> throw new IllegalArgumentException("no request " + requests);
            }
        }
        return null;
    }

    private static void write(DiskQueue queue, ModelDisk model, long at, MemorySegment bytes) throws IOException {
        ModelDisk.Request write = model.beginWrite(at, bytes);
        queue.write(at, bytes);
        write.done();
    }

    static Stream<List<String>> pairs() {
        return Stream.of(
                List.of("w", "w"),
                List.of("wr", "wr"),
                List.of("wdw", "xrf"),
                List.of("dfx", "wrw"),
                List.of("zfw", "bfr"),
                List.of("wfr", "dfx"),
                List.of("bdf", "fxr"),
                List.of("ffw", "dwf"));
    }

    @ParameterizedTest
    @MethodSource("pairs")
    void everyOrderOfTwoQueuesWithThreeRequestsEach(List<String> requests) {
        for (Shape shape : List.of(Shape.plain(9), Shape.plain(9).withSnapshot())) {
            long orders = Schedules.exhaustive(2).atMost(MOST_ORDERS / 2).explore(steps -> {
                Rig rig = Rig.of(shape);
                try (Disk disk = rig.open(stepped(shape, steps), storage -> new SteppedStorage(storage, steps))) {
                    for (int q = 0; q < requests.size(); q++) {
                        DiskQueue queue = disk.openQueue();
                        String mine = requests.get(q);
                        steps.worker(
                                "queue " + q + " (" + mine + ")",
                                () -> does(mine, queue, rig.model, shape.clusterBytes()));
                    }
                    steps.run();
                }
                rig.assertAtMostLeaks();
                rig.assertHoldsWhatTheModelAllows();
            });
            assertThat(orders).as("orders of %s on %s", requests, shape).isGreaterThan(10);
        }
    }

    /** Four queues, eight requests each, and a cache that holds two slices; in half of the orders one of them resizes the disk. */
    @Test
    void drawnOrdersOfFourQueues() {
        List<Shape> shapes = List.of(
                Shape.plain(9),
                Shape.plain(9).withSnapshot(),
                Shape.plain(9).over(Shape.Below.QCOW2),
                Shape.plain(9).packed(Shape.Packing.ZLIB),
                Shape.plain(9).withRefcountOrder(0),
                Shape.plain(16).withExtended().over(Shape.Below.RAW),
                Shape.plain(9).withVersion(2).over(Shape.Below.SHORT),
                Shape.plain(12).withData(Shape.Data.FILE));
        for (int i = 0; i < DRAWN; i += 10) {
            Shape shape = shapes.get(i / 10 % shapes.size());
            long seed = Lab.seed() + i;
            try {
                boolean resizes = i / 10 / shapes.size() % 2 == 1;
                Schedules.drawn(seed, 10).explore(steps -> fourQueues(shape, resizes, seed, steps));
            } catch (AssertionError e) {
                throw new AssertionError(shape + ", load of seed " + seed + ": " + e.getMessage(), e);
            }
        }
    }

    private static void fourQueues(Shape shape, boolean resizes, long seed, StepScheduler steps) throws IOException {
        Rig rig = Rig.of(shape, resizes ? StructureLoad.room(shape) : 0);
        try (Disk disk = rig.open(stepped(shape, steps), storage -> new SteppedStorage(storage, steps))) {
            if (resizes) {
                steps.worker(
                        "sizes",
                        new StructureLoad(rig, disk, disk.openQueue(), seed * 8 + 4, 8, false).withSizesOnly());
            }
            for (int q = 0; q < (resizes ? 3 : 4); q++) {
                DiskQueue queue = disk.openQueue();
                steps.worker("queue " + q, new GuestLoad(queue, rig.model, shape, seed * 8 + q, 8, false));
            }
            steps.run();
        }
        assertThat(rig.assertAtMostLeaks().leaks())
                .as("leaks after a clean close")
                .isZero();
        rig.assertHoldsWhatTheModelAllows();
    }

    /** Three queues go on while a fourth one's disk is resized under them, and snapshots come and go. */
    @Test
    void drawnOrdersOfStructuralChanges() {
        List<Shape> shapes = PowerCutTest.structuralShapes().toList();
        for (int i = 0; i < DRAWN / 4; i += 5) {
            Shape shape = shapes.get(i / 5 % shapes.size());
            long seed = Lab.seed() + i;
            try {
                Schedules.drawn(seed, 5).explore(steps -> structuralChanges(shape, seed, steps));
            } catch (AssertionError e) {
                throw new AssertionError(shape + ", load of seed " + seed + ": " + e.getMessage(), e);
            }
        }
    }

    private static void structuralChanges(Shape shape, long seed, StepScheduler steps) throws Exception {
        Rig rig = Rig.of(shape, StructureLoad.room(shape));
        StructureLoad changes;
        try (Disk disk = rig.open(stepped(shape, steps), storage -> new SteppedStorage(storage, steps))) {
            for (int q = 0; q < 3; q++) {
                DiskQueue queue = disk.openQueue();
                steps.worker("queue " + q, new GuestLoad(queue, rig.model, shape, seed * 8 + q, 8, false));
            }
            changes = new StructureLoad(rig, disk, disk.openQueue(), seed * 8 + 3, 8, false);
            steps.worker("structure", changes);
            steps.run();
        }
        assertThat(rig.assertAtMostLeaks().leaks())
                .as("leaks after a clean close")
                .isZero();
        rig.assertHoldsWhatTheModelAllows();
        changes.checkAfterCut(rig.power.now(), rig);
    }
}
