package dev.cowherd.proof;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.Engine;
import dev.cowherd.image.ImageFormat;
import dev.cowherd.image.Request;
import dev.cowherd.image.ZeroMode;
import dev.cowherd.storage.Storage;
import dev.cowherd.storage.filter.Operation;
import dev.cowherd.storage.filter.RecordStorage;
import dev.cowherd.testkit.lab.SimStorage;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Where a disk says that zeros are fast, as NBD's clients ask, it makes them without writing one byte of guest data. */
@EachEngine
class FastZeroesTest {
    private static final int SECTOR = 512;
    private static final DiskOptions WRITABLE = DiskOptions.defaults().withWritable(true);

    private final Engine engine;
    private final List<RecordStorage> records = new ArrayList<>();

    FastZeroesTest(Engine engine) {
        this.engine = engine;
    }

    /** Of clusters with one L2 table, so that after a first write no new table is written either. */
    static Stream<Shape> shapes() {
        return Stream.of(
                Shape.plain(12),
                Shape.plain(12).withVersion(2).over(Shape.Below.RAW),
                Shape.plain(12).over(Shape.Below.SHORT).withSnapshot(),
                Shape.plain(16).packed(Shape.Packing.ZLIB),
                Shape.plain(16).withData(Shape.Data.FILE),
                Shape.plain(16).withData(Shape.Data.RAW_FILE),
                Shape.plain(16).withExtended().over(Shape.Below.RAW),
                Shape.plain(16).withExtended().withSnapshot(),
                Shape.plain(16).withExtended().packed(Shape.Packing.ZLIB),
                Shape.plain(16).withExtended().withData(Shape.Data.RAW_FILE));
    }

    private Storage recorded(Storage storage) {
        RecordStorage record = new RecordStorage(storage);
        records.add(record);
        return record;
    }

    private List<dev.cowherd.storage.filter.Request> writes() {
        return records.stream()
                .flatMap(record -> record.requests(Operation.WRITE).stream())
                .toList();
    }

    private boolean zeroesAreFast(Guest guest, long offset, long length) throws IOException {
        AtomicBoolean answer = new AtomicBoolean();
        guest.perform(new Request.Work(0, queue -> answer.set(queue.zeroesAreFast(offset, length))));
        return answer.get();
    }

    /** Zeroes a range; true if the disk said that this is fast. */
    private boolean zero(Guest guest, long offset, long length, ZeroMode mode) throws IOException {
        boolean fast = zeroesAreFast(guest, offset, length);
        records.forEach(RecordStorage::forget);
        guest.writeZeroes(offset, length, mode);
        if (fast) {
            assertThat(writes())
                    .as("writes of the host for fast zeros at %d, %d bytes, %s", offset, length, mode)
                    .isEmpty();
        }
        return fast;
    }

    @ParameterizedTest
    @MethodSource("shapes")
    void fastZeroesWriteNoGuestData(Shape shape) {
        for (int run = 0; run < Lab.count(8, 200); run++) {
            long seed = Lab.seed() + run;
            Lab.part(shape + ", " + engine + ", run " + run, () -> play(shape, new SplittableRandom(seed)));
        }
    }

    private void play(Shape shape, SplittableRandom random) throws Exception {
        records.clear();
        Rig rig = Rig.of(shape);
        long size = shape.sizeBytes();
        int unit = shape.extended() ? shape.clusterBytes() / 32 : shape.clusterBytes();
        Stage.play(engine, stage -> {
            try (Disk disk = rig.open(stage.with(WRITABLE), storage -> stage.filter(recorded(storage)));
                    Guest guest = stage.guest(disk)) {
                // The table is the image's own from here on.
                guest.write(
                        4L * shape.clusterBytes(),
                        Arena.ofAuto().allocate(SECTOR, 4096).fill((byte) 1));
                guest.flush();
                for (int i = 0; i < 10; i++) {
                    ZeroMode mode = random.nextBoolean() ? ZeroMode.MAY_UNMAP : ZeroMode.KEEP_ALLOCATED;
                    long offset = random.nextLong(size / unit) * unit;
                    // To the end of the disk in the middle of a cluster, or some units.
                    long length = random.nextInt(4) == 0
                            ? size - offset
                            : Math.min((1 + random.nextInt(40)) * (long) unit, size - offset);
                    if (length > SECTOR && random.nextInt(4) == 0) {
                        length -= SECTOR;
                    }
                    boolean whole = (offset + length) % unit == 0 || offset + length == size;
                    boolean fast = zero(guest, offset, length, mode);
                    if (shape.version() < 3 || !whole) {
                        assertThat(fast)
                                .as("what no entry can say, at %d, %d bytes", offset, length)
                                .isFalse();
                    } else if (!shape.extended()) {
                        assertThat(fast)
                                .as("whole clusters at %d, %d bytes", offset, length)
                                .isTrue();
                    }
                    if (offset + unit <= size) {
                        assertThat(zeroesAreFast(guest, offset + SECTOR, unit - SECTOR))
                                .as("the end of a cluster at %d", offset)
                                .isFalse();
                    }
                }
                assertThat(zero(guest, 0, size, ZeroMode.MAY_UNMAP))
                        .as("all of it")
                        .isEqualTo(shape.version() >= 3);
            }
        });
    }

    @Test
    void zeroesOfARawDiskAreFastWhereverTheyAre() throws Exception {
        SimStorage raw = new SimStorage("raw");
        raw.write(0, Arena.ofAuto().allocate(64 << 10, 4096).fill((byte) 7));
        Stage.play(engine, stage -> {
            DiskOptions options = WRITABLE.withFormat(ImageFormat.RAW);
            try (Disk disk = stage.open(recorded(raw.reopen()), options);
                    Guest guest = stage.guest(disk)) {
                assertThat(zero(guest, SECTOR, 3 * SECTOR, ZeroMode.MAY_UNMAP)).isTrue();
                assertThat(zero(guest, 8 * SECTOR, 120 * SECTOR, ZeroMode.KEEP_ALLOCATED))
                        .isTrue();
            }
        });
    }
}
