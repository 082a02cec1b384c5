package dev.cowherd.proof;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.DiskQueue;
import dev.cowherd.testkit.lab.CrashStates;
import dev.cowherd.testkit.lab.Schedules;
import dev.cowherd.testkit.lab.SteppedStorage;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Whenever the power goes: the image opens, the check finds at most leaks, and the guest finds what it was promised. */
class PowerCutTest {
    private static final int STATES = Lab.count(20_000, 1_000_000);

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
        shapes.add(Shape.plain(9).withRefcountOrder(0));
        shapes.add(Shape.plain(9).withRefcountOrder(6).withSnapshot());
        shapes.add(Shape.plain(16).withExtended().over(Shape.Below.RAW));
        shapes.add(Shape.plain(16).withExtended().withSnapshot());
        shapes.add(Shape.plain(16).withData(Shape.Data.RAW_FILE));
        return shapes.stream();
    }

    @ParameterizedTest
    @MethodSource("shapes")
    void everyCutLeavesAnImageThatKeepsItsPromises(Shape shape) {
        int runs = Lab.count(4, 20);
        long budget = STATES / (shapes().count() * runs);
        AtomicLong judged = new AtomicLong();
        for (int i = 0; i < runs; i++) {
            long seed = Lab.seed() + i;
            Schedules.drawn(seed, 1).explore(steps -> {
                Rig rig = Rig.of(shape);
                DiskOptions options = DiskOptions.defaults()
                        .withWritable(true)
                        .withSliceCacheBytes(8192)
                        .withWaits(signal -> steps.await(signal::isFired, "a signal"));
                Disk disk = rig.open(options, storage -> new SteppedStorage(storage, steps));
                for (int q = 0; q < 2; q++) {
                    DiskQueue queue = disk.openQueue();
                    steps.worker("queue " + q, new GuestLoad(queue, rig.model, shape, seed * 31 + q, 14, false));
                }
                steps.run();
                long running = rig.power.now();
                disk.close();
                judged.addAndGet(
                        CrashStates.of(rig.power).withSeed(seed).atMost(budget).forEach(state -> {
                            Rig after = rig.after(state);
                            after.assertAtMostLeaks();
                            rig.model.checkAfterCut(state.cut(), after.contents());
                        }));
                assertThat(running).isPositive();
            });
        }
        assertThat(judged.get()).isGreaterThan(budget / 4);
    }
}
