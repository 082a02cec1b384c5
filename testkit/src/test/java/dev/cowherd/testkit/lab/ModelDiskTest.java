package dev.cowherd.testkit.lab;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** The model accepts all that a correct disk may do, in flight and after a cut, and nothing else. */
class ModelDiskTest {
    private static final int SECTOR = Stamps.SECTOR;
    private static final long SIZE = 8L * SECTOR;

    private final Power power = new Power();
    private final ModelDisk model = ModelDisk.ofZeros(SIZE, power);

    private static MemorySegment zeros(int sectors) {
        return Arena.ofAuto().allocate((long) sectors * SECTOR);
    }

    /** Time goes on by one change. */
    private void tick() {
        power.note(new Change.Barrier(0));
    }

    private MemorySegment written(int sector) {
        MemorySegment bytes = zeros(1);
        model.beginWrite((long) sector * SECTOR, bytes).done();
        tick();
        return bytes;
    }

    private void read(int sector, MemorySegment found) {
        model.beginRead((long) sector * SECTOR).saw(found);
    }

    private void assertMayHold(int sector, MemorySegment... values) {
        for (MemorySegment value : values) {
            model.checkAfterCut(power.now(), diskWith(sector, value));
        }
    }

    private void assertMayNotHold(int sector, MemorySegment value, String why) {
        assertThatThrownBy(() -> model.checkAfterCut(power.now(), diskWith(sector, value)))
                .isInstanceOf(AssertionError.class)
                .hasMessageContaining("sector " + sector)
                .hasMessageContaining(why);
    }

    private static MemorySegment diskWith(int sector, MemorySegment value) {
        MemorySegment all = zeros((int) (SIZE / SECTOR));
        MemorySegment.copy(value, 0, all, (long) sector * SECTOR, SECTOR);
        return all;
    }

    private void flush() {
        model.beginFlush().done();
        tick();
    }

    @Test
    void aReadSeesTheLastWriteAndNothingOlder() {
        MemorySegment first = written(2);
        read(2, first);
        MemorySegment second = written(2);
        read(2, second);
        assertThatThrownBy(() -> read(2, first)).hasMessageContaining("the stale [stamp 1");
        assertThatThrownBy(() -> read(2, zeros(1))).hasMessageContaining("the stale [zeros");
        assertThatThrownBy(() -> read(3, second)).hasMessageContaining("foreign bytes: stamp 2 of sector 2");
        MemorySegment mixture = zeros(1).copyFrom(second);
        MemorySegment.copy(first, 256, mixture, 256, 256);
        assertThatThrownBy(() -> read(2, mixture)).hasMessageContaining("a mixture: begins as stamp 2");
        assertThatThrownBy(() -> read(2, zeros(1).fill((byte) 1))).hasMessageContaining("nobody wrote so");
        MemorySegment future = zeros(1);
        Stamps.fill(2L * SECTOR, future, 77);
        assertThatThrownBy(() -> read(2, future)).hasMessageContaining("never written there");
    }

    @Test
    void whileAWriteIsInFlightBothValuesMayBeSeenButNotTheOldAfterTheNew() {
        MemorySegment old = written(1);
        MemorySegment young = zeros(1);
        ModelDisk.Read overlapping = model.beginRead(SECTOR);
        ModelDisk.Request write = model.beginWrite(SECTOR, young);
        read(1, old);
        read(1, young);
        assertThatThrownBy(() -> read(1, old)).hasMessageContaining("stale");
        overlapping.saw(old);
        write.done();
        read(1, young);
    }

    @Test
    void ofTwoOverlappingWritesTheFirstReadSettlesTheWinner() {
        MemorySegment one = zeros(1);
        MemorySegment two = zeros(1);
        ModelDisk.Request first = model.beginWrite(0, one);
        ModelDisk.Request second = model.beginWrite(0, two);
        second.done();
        first.done();
        assertMayHold(0, one, two, zeros(1));
        read(0, two);
        read(0, two);
        assertThatThrownBy(() -> read(0, one)).hasMessageContaining("stale");
        assertMayHold(0, one, two, zeros(1));
        flush();
        assertMayHold(0, two);
        assertMayNotHold(0, one, "stale");
    }

    @Test
    void aFailedWriteLeavesOldOrNewUntilTheNextWrite() {
        MemorySegment old = written(0);
        MemorySegment wanted = zeros(1);
        model.beginWrite(0, wanted).failed();
        flush();
        assertMayHold(0, old, wanted);
        read(0, old);
        assertThatThrownBy(() -> read(0, wanted)).hasMessageContaining("stale");
        MemorySegment young = written(0);
        assertThatThrownBy(() -> read(0, old)).hasMessageContaining("stale");
        flush();
        assertMayHold(0, young);
        assertMayNotHold(0, wanted, "stale");
    }

    @Test
    void aDiscardLeavesOldOrZerosButNeverWhatLiesUnderTheOld() {
        MemorySegment under = zeros(1);
        model.holds(0, under);
        MemorySegment old = written(0);
        model.beginDiscard(0, SECTOR).done();
        flush();
        assertMayHold(0, old, zeros(1));
        assertMayNotHold(0, under, "stale");
        assertThatThrownBy(() -> read(0, under)).hasMessageContaining("stale");
        read(0, zeros(1));
        assertThatThrownBy(() -> read(0, old)).hasMessageContaining("stale");
        assertMayNotHold(0, old, "stale");
    }

    @Test
    void writtenZerosAreZeros() {
        MemorySegment old = written(0);
        model.beginZeroes(0, SECTOR).done();
        read(0, zeros(1));
        assertThatThrownBy(() -> read(0, old)).hasMessageContaining("stale");
        assertMayHold(0, old, zeros(1));
        flush();
        assertMayNotHold(0, old, "stale");
    }

    @Test
    void afterACutWhatWasFlushedIsThereAndWhatWasNotMayBe() {
        MemorySegment first = written(0);
        MemorySegment second = written(0);
        flush();
        long flushed = power.now();
        MemorySegment third = written(0);
        MemorySegment fourth = written(0);
        assertMayHold(0, second, third, fourth);
        assertMayNotHold(0, first, "stale");
        assertMayNotHold(0, zeros(1), "stale");
        model.checkAfterCut(flushed - 2, diskWith(0, first));
        assertThatThrownBy(() -> model.checkAfterCut(flushed - 2, diskWith(0, fourth)))
                .as("not begun at that time")
                .isInstanceOf(AssertionError.class);
        assertThatCode(() -> model.checkAfterCut(flushed, diskWith(0, third))).doesNotThrowAnyException();
    }

    @Test
    void aFlushCoversWhatHadEndedWhenItBeganAndNoMore() {
        MemorySegment early = zeros(1);
        MemorySegment late = zeros(1);
        model.beginWrite(0, early).done();
        ModelDisk.Request inFlight = model.beginWrite(SECTOR, late);
        ModelDisk.Flush flush = model.beginFlush();
        inFlight.done();
        assertMayHold(0, early, zeros(1));
        tick();
        flush.done();
        assertMayHold(0, early);
        assertMayNotHold(0, zeros(1), "stale");
        MemorySegment both = diskWith(0, early);
        model.checkAfterCut(power.now(), both);
        MemorySegment.copy(late, 0, both, SECTOR, SECTOR);
        model.checkAfterCut(power.now(), both);
        model.checkAfterCut(0, diskWith(0, zeros(1)));
    }

    @Test
    void aFlushThatFailedPromisesNothing() {
        MemorySegment value = written(0);
        model.beginFlush();
        tick();
        assertMayHold(0, value, zeros(1));
    }

    /** A register that takes requests at a drawn instant between their beginning and end, and that keeps what was flushed. */
    private static final class Register {
        long now;
        final List<Long> since = new ArrayList<>(List.of(0L));
        final List<Long> ever = new ArrayList<>(List.of(0L));

        void take(long stamp) {
            now = stamp;
            since.add(stamp);
            ever.add(stamp);
        }

        void flush() {
            since.clear();
            since.add(now);
        }
    }

    private static final class Step {
        final int kind;
        final MemorySegment bytes = zeros(1);
        final Object told;
        boolean taken;

        Step(int kind, ModelDisk model) {
            this.kind = kind;
            this.told = switch (kind) {
                case 0 -> model.beginRead(0);
                case 1 -> model.beginFlush();
                case 2 -> model.beginDiscard(0, SECTOR);
                case 3 -> model.beginZeroes(0, SECTOR);
                default -> model.beginWrite(0, bytes);
            };
        }
    }

    /** Random histories of one sector: with a right register nothing is ever flagged; one that goes back in time is. */
    private static void play(long seed, boolean wrong) {
        SplittableRandom random = new SplittableRandom(seed);
        Power power = new Power();
        ModelDisk model = ModelDisk.ofZeros(SECTOR, power);
        Register register = new Register();
        List<Step> inFlight = new ArrayList<>();
        for (int i = 0; i < 120; i++) {
            if (inFlight.size() < 4 && random.nextBoolean()) {
                inFlight.add(new Step(random.nextInt(7), model));
            } else if (!inFlight.isEmpty()) {
                Step step = inFlight.get(random.nextInt(inFlight.size()));
                if (!step.taken) {
                    take(step, register, random, wrong);
                } else {
                    inFlight.remove(step);
                    end(step, random);
                }
            }
            power.note(new Change.Barrier(0));
            MemorySegment survived = zeros(1);
            Stamps.fill(0, survived, register.since.get(random.nextInt(register.since.size())));
            model.checkAfterCut(power.now(), survived);
        }
    }

    private static void take(Step step, Register register, SplittableRandom random, boolean wrong) {
        step.taken = true;
        switch (step.kind) {
            case 0 -> {
                long back = register.ever.get(random.nextInt(register.ever.size()));
                Stamps.fill(0, step.bytes, wrong && random.nextInt(3) == 0 ? back : register.now);
            }
            case 1 -> register.flush();
            case 2 -> {
                if (random.nextBoolean()) {
                    register.take(0);
                }
            }
            case 3 -> register.take(0);
            default -> register.take(Stamps.find(0, step.bytes, 0));
        }
    }

    private static void end(Step step, SplittableRandom random) {
        switch (step.told) {
            case ModelDisk.Read read -> read.saw(step.bytes);
            case ModelDisk.Flush flush -> flush.done();
            case ModelDisk.Request request when random.nextInt(8) == 0 -> request.failed();
            case ModelDisk.Request request -> request.done();
            default -> throw new IllegalStateException();
        }
    }

    @Test
    void everyHistoryOfARightDiskIsAccepted() {
        long base = Long.getLong("cowherd.seed", System.nanoTime());
        for (int i = 0; i < 1000; i++) {
            long seed = base + i;
            assertThatCode(() -> play(seed, false))
                    .as("seed %d (-Dcowherd.seed)", seed)
                    .doesNotThrowAnyException();
        }
    }

    @Test
    void aDiskThatGoesBackInTimeIsFoundOften() {
        int found = 0;
        for (int seed = 0; seed < 300; seed++) {
            try {
                play(seed, true);
            } catch (AssertionError e) {
                found++;
            }
        }
        assertThat(found).isGreaterThan(50);
    }

    @Test
    void withoutPowerCutsTheHistoryStaysShortAndReadsAreJudgedAllTheSame() {
        ModelDisk lasting = ModelDisk.ofZeros(SIZE);
        MemorySegment bytes = zeros(8);
        for (int i = 0; i < 3_000; i++) {
            lasting.beginWrite(0, bytes).done();
            lasting.beginRead(0).saw(bytes);
        }
        MemorySegment old = zeros(8).copyFrom(bytes);
        lasting.beginWrite(0, bytes).done();
        assertThatThrownBy(() -> lasting.beginRead(0).saw(old)).hasMessageContaining("stale");
        assertThatThrownBy(() -> lasting.checkAfterCut(0, bytes)).isInstanceOf(IllegalStateException.class);
    }
}
