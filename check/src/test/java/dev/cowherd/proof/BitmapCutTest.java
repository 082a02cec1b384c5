package dev.cowherd.proof;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.Engine;
import dev.cowherd.proof.StoredBitmaps.Stored;
import dev.cowherd.testkit.QemuImg;
import dev.cowherd.testkit.lab.CrashStates;
import dev.cowherd.testkit.lab.Schedules;
import dev.cowherd.testkit.lab.StepScheduler;
import dev.cowherd.testkit.lab.SteppedStorage;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Whenever the power goes: a persistent bitmap says that it is out of date, or it has a bit for all that differs from what the disk held when
 * the bitmap was made. And no cut of a bitmap's way to the disk leaves more than leaks.
 */
class BitmapCutTest {
    private static final int STATES = Lab.count(4_000, 200_000);
    private static final int RUNS = Lab.count(2, 40);
    private static final Map<Shape, Path> MADE = new ConcurrentHashMap<>();

    static Stream<Shape> shapes() {
        return Stream.of(
                Shape.plain(9),
                Shape.plain(9).withRefcountOrder(0),
                Shape.plain(12).withSnapshot().over(Shape.Below.SHORT),
                Shape.plain(12).withData(Shape.Data.FILE),
                Shape.plain(16).withExtended().over(Shape.Below.RAW));
    }

    @ParameterizedTest
    @MethodSource("shapes")
    void noCutLeavesABitmapThatIsSilentlyOutOfDate(Shape shape) {
        AtomicLong upToDate = new AtomicLong();
        for (int i = 0; i < RUNS; i++) {
            long seed = Lab.seed() + 7000 + i;
            Engine engine = Guests.engineOf(i);
            Load guests = (rig, disk, steps) ->
                    Guests.work(engine, steps, disk, Guests.scripts(engine, rig, seed * 31, 2, 8), 3);
            Lab.part(engine + ", run " + i, () -> play(shape, 0, seed, upToDate, guests));
        }
        assertThat(upToDate.get()).as("states with a bitmap that is up to date").isPositive();
    }

    @ParameterizedTest
    @MethodSource("shapes")
    void norDoesACutOfAChangeOfTheDisksStructure(Shape shape) {
        AtomicLong upToDate = new AtomicLong();
        for (int i = 0; i < RUNS; i++) {
            long seed = Lab.seed() + 8000 + i;
            Engine engine = Guests.engineOf(i);
            Load changes = (rig, disk, steps) -> {
                Guests.work(engine, steps, disk, Guests.scripts(engine, rig, seed * 31, 1, 8), 2);
                steps.worker("structure", new StructureLoad(rig, disk, disk.openQueue(), seed * 37, 6, false));
            };
            Lab.part(engine + ", run " + i, () -> play(shape, StructureLoad.room(shape), seed, upToDate, changes));
        }
        assertThat(upToDate.get()).as("states with a bitmap that is up to date").isPositive();
    }

    /** Who works on the disk. */
    private interface Load {
        void begin(Rig rig, Disk disk, StepScheduler steps) throws IOException;
    }

    /** Two sessions: the second one finds the bitmaps that the first one left. */
    private static void play(Shape shape, long room, long seed, AtomicLong upToDate, Load load) {
        Schedules.drawn(seed, 1).explore(steps -> {
            Rig rig = Rig.of(shape, image(shape), room);
            MemorySegment start = rig.contents();
            StoredBitmaps before = StoredBitmaps.of(rig.top.bytes());
            DiskOptions options = DiskOptions.defaults()
                    .withWritable(true)
                    .withSliceCacheBytes(8192)
                    .withWaits(signal -> steps.await(signal::isFired, "a signal"));
            Disk disk = rig.open(options, storage -> new SteppedStorage(storage, steps));
            load.begin(rig, disk, steps);
            steps.run();
            disk.close();
            assertUpToDate(rig, start, before);
            try (Disk again = rig.open(DiskOptions.defaults().withWritable(true), storage -> storage)) {
                new GuestLoad(again.openQueue(), rig.model, shape, seed * 41, 6, false).call();
            }
            assertUpToDate(rig, start, before);
            long states = Math.ceilDiv(STATES, shapes().count() * 2 * RUNS);
            long judged = CrashStates.of(rig.power)
                    .withSeed(seed)
                    .atMost(states)
                    .forEach(state -> {
                        Rig after = rig.after(state);
                        after.assertAtMostLeaks();
                        MemorySegment contents = after.contents();
                        rig.model.checkAfterCut(state.cut(), contents);
                        upToDate.addAndGet(assertNotStale(after, contents, start, before));
                        if (state.number() % 64 == 0) {
                            after.assertCanGoOn(seed);
                            assertNotStale(after, after.contents(), start, before);
                        }
                    });
            assertThat(judged).as("states").isEqualTo(states);
        });
    }

    private static void assertUpToDate(Rig rig, MemorySegment start, StoredBitmaps before) throws IOException {
        assertThat(assertNotStale(rig, rig.contents(), start, before))
                .as("bitmaps in order after the disk was closed")
                .isEqualTo(before.all().size());
        assertThat(rig.assertAtMostLeaks().leaks()).isZero();
    }

    /** How many bitmaps say that they are up to date; those are. */
    private static int assertNotStale(Rig rig, MemorySegment contents, MemorySegment start, StoredBitmaps before)
            throws IOException {
        int upToDate = 0;
        for (Stored bitmap : StoredBitmaps.of(rig.top.bytes()).all().values()) {
            if (bitmap.entry().inUse()) {
                continue;
            }
            upToDate++;
            BitSet old = before.get(bitmap.entry().name()).dirty();
            if (!bitmap.entry().auto()) {
                assertThat(bitmap.dirty()).as("%s", bitmap.entry()).isEqualTo(old);
                continue;
            }
            BitSet lost = (BitSet) old.clone();
            lost.andNot(bitmap.dirty());
            assertThat(lost.cardinality())
                    .as("granules that %s has lost", bitmap.entry())
                    .isZero();
            long size = contents.byteSize();
            for (long at = 0; at < size; at += 512) {
                if (!same(contents, start, at)) {
                    assertThat(bitmap.isDirty(at))
                            .as("%s knows that sector %d has changed", bitmap.entry(), at / 512)
                            .isTrue();
                }
            }
        }
        return upToDate;
    }

    /** Whether a sector holds what it held at the start; what the disk has grown by held zeros. */
    private static boolean same(MemorySegment contents, MemorySegment start, long at) {
        long end = Math.min(at + 512, contents.byteSize());
        MemorySegment now = contents.asSlice(at, end - at);
        MemorySegment then =
                at < start.byteSize() ? start.asSlice(at, end - at) : MemorySegment.ofArray(new byte[(int) (end - at)]);
        return now.mismatch(then) < 0;
    }

    /** The shape's image with bitmaps that QEMU made: one whose directory entry crosses a sector, one that does not track. */
    private static Path image(Shape shape) {
        return MADE.computeIfAbsent(shape, made -> {
            try {
                Path original = Template.of(shape).top;
                Path image = original.resolveSibling("with-bitmaps.qcow2");
                Files.copy(original, image);
                add(image, "-g", "512", "a" + "-long".repeat(89) + "-name");
                add(image, "-g", "8192", "coarse");
                add(image, "-g", "4096", "--disable", "still");
                return image;
            } catch (IOException e) {
                throw new java.io.UncheckedIOException(e);
            }
        });
    }

    private static void add(Path image, String... arguments) {
        List<String> command = new java.util.ArrayList<>(List.of("bitmap", "--add", "-f", "qcow2"));
        command.addAll(List.of(arguments));
        command.add(command.size() - 1, image.toString());
        QemuImg.v10().run(command).orFail();
    }
}
