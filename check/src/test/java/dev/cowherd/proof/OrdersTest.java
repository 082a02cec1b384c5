package dev.cowherd.proof;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.DiskQueue;
import dev.cowherd.image.Engine;
import dev.cowherd.image.Request;
import dev.cowherd.image.RequestQueue;
import dev.cowherd.image.ZeroMode;
import dev.cowherd.proof.RequestLoad.Change;
import dev.cowherd.testkit.lab.ModelDisk;
import dev.cowherd.testkit.lab.Schedules;
import dev.cowherd.testkit.lab.StepScheduler;
import dev.cowherd.testkit.lab.SteppedStorage;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Queues, and fibers of one thread, whose steps come in every order, or in many drawn ones: no order loses a byte, and none waits in a
 * circle.
 */
class OrdersTest {
    /** How often a worker is interrupted in one order. All with four pass too, in two minutes. */
    private static final int INTERRUPTIONS = Lab.count(3, 5);

    /** Never reached: a scenario that grows beyond is made smaller, not cut short where it was going to fail. */
    private static final int MOST_ORDERS = Lab.count(50_000, 1_000_000);

    private static final int DRAWN = Lab.count(2_000, 100_000);
    /** Of the orders with two interruptions nobody knows how many there are. */
    private static final Progress ALL = new Progress(OrdersTest.class, "orders of two queues", 0);

    private static final Progress FOUR = new Progress(OrdersTest.class, "orders of four queues", DRAWN);
    private static final Progress STRUCTURAL =
            new Progress(OrdersTest.class, "orders of structural changes", DRAWN / 4);

    /** With a cache of two slices, each of which costs 128 bytes beside its words. */
    private static DiskOptions stepped(Shape shape, StepScheduler steps) {
        return DiskOptions.defaults()
                .withWritable(true)
                .withSliceCacheBytes(2L * (Math.min(shape.clusterBytes(), 4096) + 128))
                .withWaits(signal -> steps.await(signal::isFired, "a signal"));
    }

    /** The small scenarios: each letter one request on the two clusters from 3 on. */
    private static final class Letters extends Script {
        private final String requests;
        private final int clusterBytes;
        private int next;

        Letters(String requests, ModelDisk model, Shape shape) {
            super(model, false);
            this.requests = requests;
            this.clusterBytes = shape.clusterBytes();
        }

        @Override
        @Nullable
        Asked next() {
            if (next == requests.length()) {
                return null;
            }
            long at = 3L * clusterBytes;
            return switch (requests.charAt(next++)) {
                case 'w' -> write(at, clusterBytes);
                case 'x' -> write(at + clusterBytes, clusterBytes);
                case 'b' -> write(at, 2L * clusterBytes);
                case 'z' ->
                    change(
                            model().beginZeroes(at, clusterBytes),
                            new Request.WriteZeroes(0, at, clusterBytes, ZeroMode.MAY_UNMAP));
                case 'd' -> change(model().beginDiscard(at, clusterBytes), new Request.Discard(0, at, clusterBytes));
                case 'r' -> read(new Request.Read(0, at, Arena.ofAuto().allocate(clusterBytes)));
                case 'f' -> flush();
                default -> throw new IllegalArgumentException("no request " + requests);
            };
        }

        private Asked write(long at, long length) {
            MemorySegment bytes = Arena.ofAuto().allocate(length);
            return change(model().beginWrite(at, bytes), new Request.Write(0, at, bytes));
        }
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
        everyOrder(Engine.SYNC, requests);
    }

    @ParameterizedTest
    @MethodSource("pairs")
    void everyOrderOfTwoFibersWithThreeRequestsEach(List<String> requests) {
        everyOrder(Engine.RING, requests);
    }

    private static void everyOrder(Engine engine, List<String> requests) {
        for (Shape shape : List.of(Shape.plain(9), Shape.plain(9).withSnapshot())) {
            long orders = Schedules.exhaustive(INTERRUPTIONS)
                    .atMost(MOST_ORDERS)
                    .explore(steps -> {
                        Rig rig = Rig.of(shape);
                        try (Disk disk =
                                rig.open(stepped(shape, steps), storage -> new SteppedStorage(storage, steps))) {
                            List<Script> scripts = new ArrayList<>();
                            for (String mine : requests) {
                                scripts.add(new Letters(mine, rig.model, shape));
                            }
                            Guests.work(engine, steps, disk, scripts, 2);
                            steps.run();
                        }
                        rig.assertAtMostLeaks();
                        rig.assertHoldsWhatTheModelAllows();
                        ALL.add(1);
                    });
            assertThat(orders).as("orders of %s on %s", requests, shape).isBetween(30L, MOST_ORDERS - 1L);
        }
    }

    static Stream<Arguments> drawn() {
        return Stream.of(Arguments.of(Engine.SYNC, DRAWN), Arguments.of(Engine.RING, Lab.count(DRAWN / 2, DRAWN)));
    }

    /**
     * Four queues, eight requests each, and a cache that holds two slices; in half of the orders one of them resizes the disk. With the
     * ring engine, two threads with four fibers each.
     */
    @ParameterizedTest
    @MethodSource("drawn")
    void drawnOrdersOfFourQueues(Engine engine, int count) {
        List<Shape> shapes = List.of(
                Shape.plain(9),
                Shape.plain(9).withSnapshot(),
                Shape.plain(9).over(Shape.Below.QCOW2),
                Shape.plain(9).packed(Shape.Packing.ZLIB),
                Shape.plain(9).withRefcountOrder(0),
                Shape.plain(16).withExtended().over(Shape.Below.RAW),
                Shape.plain(9).withVersion(2).over(Shape.Below.SHORT),
                Shape.plain(12).withData(Shape.Data.FILE));
        for (int i = 0; i < count; i += 10) {
            Shape shape = shapes.get(i / 10 % shapes.size());
            long seed = Lab.seed() + i;
            boolean resizes = i / 10 / shapes.size() % 2 == 1;
            Lab.part(
                    engine + ", " + shape + ", orders from " + i,
                    () -> Schedules.drawn(seed, 10).explore(steps -> fourQueues(engine, shape, resizes, seed, steps)));
        }
    }

    private static void fourQueues(Engine engine, Shape shape, boolean resizes, long seed, StepScheduler steps)
            throws IOException {
        Rig rig = Rig.of(shape, resizes ? StructureLoad.room(shape) : 0);
        try (Disk disk = rig.open(stepped(shape, steps), storage -> new SteppedStorage(storage, steps))) {
            if (resizes) {
                steps.worker(
                        "sizes",
                        new StructureLoad(rig, disk, disk.openQueue(), seed * 8 + 4, 8, false).withSizesOnly());
            }
            Guests.work(engine, steps, disk, Guests.scripts(engine, rig, seed * 8, resizes ? 3 : 4, 8), 4);
            steps.run();
        }
        assertThat(rig.assertAtMostLeaks().leaks())
                .as("leaks after a clean close")
                .isZero();
        rig.assertHoldsWhatTheModelAllows();
        FOUR.add(1);
    }

    static Stream<Arguments> structural() {
        return Stream.of(
                Arguments.of(Engine.SYNC, DRAWN / 4), Arguments.of(Engine.RING, Lab.count(DRAWN / 8, DRAWN / 4)));
    }

    /** A change of structure waits for the requests in flight, and some of them are of the very thread that makes it. */
    @ParameterizedTest
    @ValueSource(strings = {"wx", "wf", "wb", "dr"})
    void whoeverChangesTheStructureLetsItsOwnRequestsEndFirst(String first) {
        for (int i = 0; i < 3; i++) {
            List<Integer> two = List.of(i, (i + 1) % 3);
            long orders = Schedules.exhaustive(1)
                    .atMost(MOST_ORDERS)
                    .explore(steps -> changesWithRequestsInFlight(first, two, steps));
            assertThat(orders).as("orders of changes %s", two).isBetween(10L, MOST_ORDERS - 1L);
        }
        // All three at once have too many orders.
        Schedules.drawn(Lab.seed(), DRAWN / 7)
                .explore(steps -> changesWithRequestsInFlight(first, List.of(0, 1, 2), steps));
    }

    private static void changesWithRequestsInFlight(String first, List<Integer> which, StepScheduler steps)
            throws IOException {
        Shape shape = Shape.plain(9);
        Rig rig = Rig.of(shape, 1024);
        try (Disk disk = rig.open(stepped(shape, steps), storage -> new SteppedStorage(storage, steps))) {
            List<Change> changes = List.of(
                    () -> disk.openQueue().close(),
                    () -> disk.resize(rig.sizeBytes() + 1024),
                    () -> disk.createSnapshot("taken"));
            for (int change : which) {
                List<Script> scripts = new ArrayList<>();
                first.chars().forEach(letter -> scripts.add(new Letters((char) letter + "w", rig.model, shape)));
                steps.worker("worker", new RequestLoad(disk, scripts).meanwhile(changes.get(change)));
            }
            steps.run();
            assertThat(disk.snapshots()).hasSize(which.contains(2) ? 1 : 0);
        }
        assertThat(rig.assertAtMostLeaks().leaks()).isZero();
        rig.assertHoldsWhatTheModelAllows();
    }

    /** The same for closing: what its own thread has in flight is done, others' requests are done or refused. */
    @Test
    void whoeverClosesTheDiskLetsItsOwnRequestsEndFirst() {
        Shape shape = Shape.plain(9);
        long orders = Schedules.exhaustive(1).atMost(MOST_ORDERS).explore(steps -> {
            Rig rig = Rig.of(shape);
            Disk disk = rig.open(stepped(shape, steps), storage -> new SteppedStorage(storage, steps));
            MemorySegment bytes = Arena.ofAuto().allocate(2L * shape.clusterBytes());
            steps.worker("closes", () -> {
                RequestQueue queue = disk.openRequestQueue(4);
                for (int i = 0; i < 4; i++) {
                    MemorySegment part = bytes.asSlice(i * 256L, 256).fill((byte) (i + 1));
                    queue.submit(new Request.Write(i, 3L * shape.clusterBytes() + i * 256L, part));
                }
                disk.close();
                return null;
            });
            steps.worker("meanwhile", () -> {
                try (DiskQueue queue = disk.openQueue()) {
                    queue.write(0, Arena.ofAuto().allocate(512));
                } catch (IllegalStateException e) {
                    assertThat(e).hasMessageContaining("closed");
                }
                return null;
            });
            steps.run();
            assertThat(rig.assertAtMostLeaks().leaks()).isZero();
            assertThat(rig.contents()
                            .asSlice(3L * shape.clusterBytes(), bytes.byteSize())
                            .mismatch(bytes))
                    .isEqualTo(-1);
        });
        assertThat(orders).as("orders").isBetween(10L, MOST_ORDERS - 1L);
    }

    /** Three queues go on while a fourth one's disk is resized under them, and snapshots come and go. */
    @ParameterizedTest
    @MethodSource("structural")
    void drawnOrdersOfStructuralChanges(Engine engine, int count) {
        List<Shape> shapes = PowerCutTest.structuralShapes().toList();
        for (int i = 0; i < count; i += 5) {
            Shape shape = shapes.get(i / 5 % shapes.size());
            long seed = Lab.seed() + i;
            Lab.part(
                    engine + ", " + shape + ", orders from " + i,
                    () -> Schedules.drawn(seed, 5).explore(steps -> structuralChanges(engine, shape, seed, steps)));
        }
    }

    private static void structuralChanges(Engine engine, Shape shape, long seed, StepScheduler steps) throws Exception {
        Rig rig = Rig.of(shape, StructureLoad.room(shape));
        StructureLoad changes;
        try (Disk disk = rig.open(stepped(shape, steps), storage -> new SteppedStorage(storage, steps))) {
            Guests.work(engine, steps, disk, Guests.scripts(engine, rig, seed * 8, 3, 8), 3);
            changes = new StructureLoad(rig, disk, disk.openQueue(), seed * 8 + 3, 8, false);
            steps.worker("structure", changes);
            steps.run();
        }
        assertThat(rig.assertAtMostLeaks().leaks())
                .as("leaks after a clean close")
                .isZero();
        rig.assertHoldsWhatTheModelAllows();
        changes.checkAfterCut(rig.power.now(), rig);
        STRUCTURAL.add(1);
    }
}
