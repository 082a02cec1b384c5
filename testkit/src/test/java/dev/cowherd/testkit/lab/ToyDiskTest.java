package dev.cowherd.testkit.lab;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowherd.testkit.lab.ToyDisk.Wrong;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The whole laboratory on a toy disk: a right one passes, and each planted fault is found. */
class ToyDiskTest {
    private static MemorySegment segment(long bytes) {
        return Arena.ofAuto().allocate(bytes);
    }

    /** Writes, reads and flushes by one thread, then every power cut. */
    private static long cutEverywhere(Wrong wrong) throws Exception {
        SimStorage sim = new SimStorage("toy");
        sim.truncate(Stamps.SECTOR);
        ModelDisk model = ModelDisk.ofZeros(ToyDisk.SIZE, sim.power());
        StepScheduler nobody = new StepScheduler(Chooser.replaying(""));
        ToyDisk disk = new ToyDisk(sim, nobody, wrong);
        SplittableRandom random = new SplittableRandom(7);
        for (int i = 0; i < 40; i++) {
            int sector = random.nextInt(ToyDisk.SECTORS - 3);
            MemorySegment bytes = segment((1L + random.nextInt(3)) * Stamps.SECTOR);
            long offset = (long) sector * Stamps.SECTOR;
            if (random.nextInt(5) == 0) {
                ModelDisk.Flush flush = model.beginFlush();
                disk.flush();
                flush.done();
            } else if (random.nextInt(3) == 0) {
                ModelDisk.Read read = model.beginRead(offset);
                disk.read(offset, bytes);
                read.saw(bytes);
            } else {
                ModelDisk.Request write = model.beginWrite(offset, bytes);
                disk.write(offset, bytes);
                write.done();
            }
        }
        return CrashStates.of(sim.power()).forEach(state -> {
            MemorySegment all = segment(ToyDisk.SIZE);
            new ToyDisk(state.disk(), nobody, Wrong.NOTHING).read(0, all);
            model.checkAfterCut(state.cut(), all);
        });
    }

    @ParameterizedTest
    @EnumSource(
            value = Wrong.class,
            names = {"NOTHING", "IN_PLACE"})
    void aRightDiskPassesEveryPowerCut(Wrong right) throws Exception {
        assertThat(cutEverywhere(right)).isGreaterThan(1000);
    }

    @Test
    void aForgottenBarrierIsFound() {
        assertThatThrownBy(() -> cutEverywhere(Wrong.NO_BARRIER))
                .isInstanceOf(AssertionError.class)
                .hasMessageContaining("crash state ")
                .hasMessageContaining("LOST write");
    }

    @Test
    void aFlushThatPromisesTooMuchIsFound() {
        assertThatThrownBy(() -> cutEverywhere(Wrong.LYING_FLUSH))
                .isInstanceOf(AssertionError.class)
                .hasMessageContaining("holds the stale");
    }

    @Test
    void aWriteToAWrongPlaceIsFound() {
        assertThatThrownBy(() -> cutEverywhere(Wrong.MISPLACED))
                .isInstanceOf(AssertionError.class)
                .hasMessageContaining("sector ");
    }

    /** Two writers and a reader of overlapping sectors in many orders; what they leave must be one of what they may. */
    private static void inOrders(Schedules orders, Wrong wrong) {
        orders.explore(steps -> {
            SimStorage sim = new SimStorage("toy");
            sim.truncate(Stamps.SECTOR);
            ModelDisk model = ModelDisk.ofZeros(ToyDisk.SIZE, sim.power());
            ToyDisk disk = new ToyDisk(new SteppedStorage(sim, steps), steps, wrong);
            for (int i = 0; i < 2; i++) {
                long offset = (long) i * Stamps.SECTOR;
                steps.worker("writer " + i, () -> {
                    MemorySegment bytes = segment(2 * Stamps.SECTOR);
                    ModelDisk.Request write = model.beginWrite(offset, bytes);
                    disk.write(offset, bytes);
                    write.done();
                    return null;
                });
            }
            steps.worker("reader", () -> {
                MemorySegment bytes = segment(Stamps.SECTOR);
                ModelDisk.Read read = model.beginRead(Stamps.SECTOR);
                disk.read(Stamps.SECTOR, bytes);
                read.saw(bytes);
                return null;
            });
            steps.run();
            MemorySegment all = segment(ToyDisk.SIZE);
            ModelDisk.Read read = model.beginRead(0);
            disk.read(0, all);
            read.saw(all);
        });
    }

    @Test
    void aRightDiskPassesEveryOrder() {
        inOrders(Schedules.exhaustive(2), Wrong.NOTHING);
        inOrders(Schedules.drawn(1, 300), Wrong.NOTHING);
    }

    @ParameterizedTest
    @EnumSource(
            value = Wrong.class,
            names = {"LINK_FIRST", "LOST_PLACE"})
    void faultsOfOrderAreFoundAndReplayed(Wrong wrong) {
        for (Schedules orders : new Schedules[] {Schedules.exhaustive(1), Schedules.drawn(2, 300)}) {
            assertThatThrownBy(() -> inOrders(orders, wrong))
                    .isInstanceOf(AssertionError.class)
                    .hasMessageContaining("Schedules.replaying(")
                    .satisfies(failure -> {
                        String message = String.valueOf(failure.getMessage());
                        String choices = message.substring(message.indexOf("(\"") + 2, message.indexOf("\")"));
                        assertThatThrownBy(() -> inOrders(Schedules.replaying(choices), wrong))
                                .isInstanceOf(AssertionError.class)
                                .hasMessageEndingWith(message.substring(message.indexOf("\")")));
                    });
        }
    }
}
