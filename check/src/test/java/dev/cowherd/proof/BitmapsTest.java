package dev.cowherd.proof;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowherd.check.CheckListener;
import dev.cowherd.check.CheckOptions;
import dev.cowherd.check.CheckReport;
import dev.cowherd.check.ImageCheck;
import dev.cowherd.format.BitmapEntry;
import dev.cowherd.format.Bytes;
import dev.cowherd.format.Feature;
import dev.cowherd.format.Header;
import dev.cowherd.image.ChainException;
import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.Engine;
import dev.cowherd.image.Quiesced;
import dev.cowherd.proof.StoredBitmaps.Stored;
import dev.cowherd.storage.Errno;
import dev.cowherd.testkit.QemuImg;
import dev.cowherd.testkit.lab.SimFault;
import dev.cowherd.testkit.lab.SimStorage;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Persistent bitmaps: which are kept right, which are marked as out of date, which are left alone, and that none is silently stale. */
@EachEngine
class BitmapsTest {
    private static final int CLUSTER = 4096;
    private static final long DISK = 4 << 20;
    private static final int WRITTEN = 1 << 20;

    @TempDir
    static Path folder;

    private static byte[] made = {};

    private final List<String> warnings = new ArrayList<>();
    private final Engine engine;
    private SimStorage file = SimStorage.holding("image.qcow2", made);

    BitmapsTest(Engine engine) {
        this.engine = engine;
    }

    /** Bitmaps "one" and "two" that track, and "still" that does not; each has a dirty granule, and "one" covers two clusters of bits. */
    @BeforeAll
    static void make() throws IOException {
        QemuImg qemu = QemuImg.v10();
        Path image = folder.resolve("image.qcow2");
        qemu.create(image, Long.toString(DISK), "-o", "cluster_size=" + CLUSTER);
        for (String name : List.of("one", "two", "still")) {
            qemu.run("bitmap", "--add", "-g", name.equals("two") ? "65536" : "512", image.toString(), name)
                    .orFail();
        }
        qemu.io(image, List.of("write -P 1 0 64k", "write -P 2 3M 64k"));
        qemu.run("snapshot", "-c", "first", image.toString()).orFail();
        qemu.run("bitmap", "--disable", image.toString(), "still").orFail();
        qemu.run("check", image.toString()).orFail();
        made = Files.readAllBytes(image);
    }

    @BeforeEach
    void copy() {
        file = SimStorage.holding("image.qcow2", made);
    }

    private DiskOptions options() {
        return DiskOptions.defaults().withWritable(true).withWarnings(warnings::add);
    }

    private Disk open() throws IOException {
        return Disk.open(file.reopen(), options());
    }

    /** What is done with a disk while it is open. */
    private interface Use {
        void of(Disk disk, Guest guest) throws IOException;
    }

    private void open(Use use) throws Exception {
        Stage.play(engine, stage -> {
            try (Disk disk = stage.open(file.reopen(), options());
                    Guest guest = stage.guest(disk)) {
                use.of(disk, guest);
            }
        });
    }

    private void write() throws Exception {
        open((_, guest) -> write(guest));
    }

    private static void write(Guest guest) throws IOException {
        guest.write(WRITTEN, Arena.ofAuto().allocate(512, 512).fill((byte) 7));
    }

    private StoredBitmaps stored() throws IOException {
        return StoredBitmaps.of(file.bytes());
    }

    private void assertClean() throws IOException {
        CheckReport report = ImageCheck.run(file, new CheckOptions(1, 64 << 20), CheckListener.SILENT);
        assertThat(report.corruptions() + report.checkErrors() + report.leaks()).isZero();
    }

    /** Puts another entry into the directory, which has room for it in its cluster. */
    private void replace(String name, BitmapEntry changed) throws IOException {
        byte[] bytes = file.bytes();
        Header header = Header.decode(ByteBuffer.wrap(bytes), bytes.length);
        List<BitmapEntry> entries = directory().stream()
                .map(entry -> entry.name().equals(name) ? changed : entry)
                .toList();
        ByteBuffer directory = BitmapEntry.encodeDirectory(entries);
        long offset = Objects.requireNonNull(header.bitmapsExtension()).directoryOffset();
        put(0, header.withBitmapDirectory(offset, directory.remaining()).encode());
        put(offset, directory);
    }

    private void put(long offset, ByteBuffer bytes) throws IOException {
        file.write(offset, Arena.ofAuto().allocate(bytes.remaining()).copyFrom(MemorySegment.ofBuffer(bytes)));
    }

    private void putWord(long offset, long word) throws IOException {
        put(offset, ByteBuffer.allocate(Long.BYTES).putLong(word).flip());
    }

    @Test
    void openingToWriteChangesNothingUntilThereIsAWrite() throws Exception {
        open((_, guest) -> {
            guest.read(0, Arena.ofAuto().allocate(CLUSTER));
            guest.flush();
        });
        assertThat(file.bytes()).isEqualTo(made);
    }

    @Test
    void fromTheFirstWriteUntilTheDiskIsClosedTheImageSaysInUse() throws Exception {
        open((_, guest) -> {
            write(guest);
            assertThat(stored().get("one").entry().inUse()).isTrue();
            assertThat(stored().get("two").entry().inUse()).isTrue();
            assertThat(stored().get("still").entry())
                    .isEqualTo(StoredBitmaps.of(made).get("still").entry());
        });
        assertThat(stored().get("one").entry().inUse()).isFalse();
        assertThat(stored().get("one").isDirty(WRITTEN)).isTrue();
        assertThat(stored().get("one").isDirty(WRITTEN + 512)).isFalse();
        assertThat(stored().get("two").isDirty(WRITTEN + 512)).isTrue();
        assertThat(stored().get("still")).isEqualTo(StoredBitmaps.of(made).get("still"));
        assertThat(warnings).isEmpty();
        assertClean();
    }

    @Test
    void aBitmapThatWasInUseStaysSo() throws Exception {
        BitmapEntry one = stored().get("one").entry();
        replace("one", one.withFlags(one.flags() | BitmapEntry.IN_USE));
        StoredBitmaps before = stored();
        write();
        assertThat(stored().get("one")).isEqualTo(before.get("one"));
        assertThat(stored().get("two").isDirty(WRITTEN)).isTrue();
    }

    /** What a writer cannot work with. */
    enum Fault {
        UNKNOWN_TYPE,
        UNKNOWN_FLAG,
        EXTRA_DATA,
        MISALIGNED_TABLE,
        TABLE_TOO_LONG,
        RESERVED_BITS,
        BITS_ON_THE_L1_TABLE,
        BITS_PAST_THE_END,
        BITS_OF_ANOTHER_BITMAP,
        BITS_THAT_ARE_FREE;

        BitmapEntry bend(BitmapsTest test, BitmapEntry sound, StoredBitmaps all) throws IOException {
            long table = sound.tableOffset();
            switch (this) {
                case RESERVED_BITS -> test.putWord(table, 2);
                case BITS_ON_THE_L1_TABLE -> test.putWord(table, all.header().l1Offset());
                case BITS_PAST_THE_END -> test.putWord(table, 1L << 40);
                case BITS_OF_ANOTHER_BITMAP -> {
                    long other = all.get(sound.name().equals("one") ? "two" : "one")
                            .entry()
                            .tableOffset();
                    test.putWord(table, ByteBuffer.wrap(test.file.bytes()).getLong((int) other));
                }
                case BITS_THAT_ARE_FREE -> {
                    test.putWord(table, (long) test.file.bytes().length / CLUSTER * CLUSTER);
                    test.file.truncate(test.file.bytes().length + 2 * CLUSTER);
                }
                case UNKNOWN_TYPE, UNKNOWN_FLAG, EXTRA_DATA, MISALIGNED_TABLE, TABLE_TOO_LONG -> {}
            }
            return new BitmapEntry(
                    sound.name(),
                    this == MISALIGNED_TABLE ? table + 512 : table,
                    this == TABLE_TOO_LONG ? 1 << 17 : sound.tableEntries(),
                    this == UNKNOWN_FLAG ? sound.flags() | 8 : sound.flags(),
                    this == UNKNOWN_TYPE ? 2 : 1,
                    sound.granularityBits(),
                    this == EXTRA_DATA ? Bytes.of(new byte[16]) : Bytes.EMPTY);
        }
    }

    @ParameterizedTest
    @EnumSource
    void aBitmapThatCannotBeKeptRightIsMarkedAndTheOthersAreKeptRight(Fault fault) throws Exception {
        // The second one, so that what it takes from another was another's before.
        BitmapEntry bent = fault.bend(this, stored().get("two").entry(), stored());
        replace("two", bent);
        write();
        List<BitmapEntry> after = directory();
        assertThat(after.get(1)).isEqualTo(bent.withFlags(bent.flags() | BitmapEntry.IN_USE));
        assertThat(after.get(0).inUse()).isFalse();
        assertThat(warnings).hasSize(1).first().asString().contains("'two'").contains("up to date");
        BitmapEntry sound = StoredBitmaps.of(made).get("two").entry();
        replace("two", sound);
        putWord(sound.tableOffset(), 0);
        assertThat(stored().get("one").isDirty(WRITTEN)).isTrue();
    }

    private List<BitmapEntry> directory() throws IOException {
        byte[] bytes = file.bytes();
        var extension = Objects.requireNonNull(
                Header.decode(ByteBuffer.wrap(bytes), bytes.length).bitmapsExtension());
        return BitmapEntry.decodeDirectory(
                ByteBuffer.wrap(bytes, (int) extension.directoryOffset(), (int) extension.directoryBytes())
                        .slice(),
                extension);
    }

    @ParameterizedTest
    @EnumSource
    void aBitmapThatDoesNotTrackIsLeftAloneWhateverItIs(Fault fault) throws Exception {
        BitmapEntry bent = fault.bend(this, stored().get("still").entry(), stored());
        replace("still", bent);
        write();
        assertThat(directory().get(2)).isEqualTo(bent);
        assertThat(warnings).isEmpty();
    }

    @Test
    void extraDataThatMayBeIgnoredIsKept() throws Exception {
        BitmapEntry one = stored().get("one").entry();
        BitmapEntry extra = new BitmapEntry(
                one.name(),
                one.tableOffset(),
                one.tableEntries(),
                one.flags() | BitmapEntry.EXTRA_DATA_COMPATIBLE,
                1,
                one.granularityBits(),
                Bytes.of((byte) 1, (byte) 2, (byte) 3));
        replace("one", extra);
        write();
        Stored after = stored().get("one");
        assertThat(after.entry())
                .isEqualTo(extra.withTable(
                        after.entry().tableOffset(), after.entry().tableEntries()));
        assertThat(after.isDirty(WRITTEN)).isTrue();
        assertThat(warnings).isEmpty();
    }

    @Test
    void aBrokenDirectoryLosesItsWordAtTheFirstWriteAndTheGuestGoesOn() throws Exception {
        long directory =
                Objects.requireNonNull(stored().header().bitmapsExtension()).directoryOffset();
        put(directory + 18, ByteBuffer.allocate(2).putShort((short) 4000).flip());
        write();
        byte[] after = file.bytes();
        Header header = Header.decode(ByteBuffer.wrap(after), after.length);
        assertThat(header.autoclearFeatures() & Feature.BITMAPS.mask()).isZero();
        assertThat(warnings).hasSize(1).first().asString().contains("bitmap directory");
    }

    @Test
    void whoCopiesAQuiescedImageGetsBitmapsThatAreUpToDate() throws Exception {
        open((disk, guest) -> {
            write(guest);
            try (Quiesced still = disk.quiesce()) {
                assertThat(still).isNotNull();
                assertThat(stored().get("one").entry().inUse()).isFalse();
                assertThat(stored().get("one").isDirty(WRITTEN)).isTrue();
                assertClean();
            }
            guest.write(2 * WRITTEN, Arena.ofAuto().allocate(512, 512));
            assertThat(stored().get("one").entry().inUse()).isTrue();
        });
        assertThat(stored().get("one").isDirty(WRITTEN)).isTrue();
        assertThat(stored().get("one").isDirty(2 * WRITTEN)).isTrue();
        assertClean();
    }

    @Test
    void anAppliedSnapshotMakesAllOfTheDiskDirtyAlsoWhereItsSizeChanges() throws IOException {
        try (Disk disk = open()) {
            disk.applySnapshot("first");
        }
        assertThat(stored().get("one").dirty().cardinality()).isEqualTo((int) (DISK / 512));
        try (Disk disk = open()) {
            disk.resize(DISK + WRITTEN + 512);
        }
        assertThat(stored().get("one").dirty().length()).isEqualTo((int) (DISK / 512));
        try (Disk disk = open()) {
            disk.applySnapshot("first");
        }
        assertThat(stored().get("two").dirty().cardinality()).isEqualTo((int) (DISK / 65536));
        assertThat(stored().get("still").dirty())
                .isEqualTo(StoredBitmaps.of(made).get("still").dirty());
        assertClean();
    }

    @Test
    void aDiskWithABitmapThatIsOutOfDateIsNotResizedAsInQemu() throws IOException {
        BitmapEntry still = stored().get("still").entry();
        replace("still", still.withFlags(still.flags() | BitmapEntry.IN_USE));
        try (Disk disk = open()) {
            assertThatThrownBy(() -> disk.resize(2 * DISK))
                    .isInstanceOf(ChainException.class)
                    .hasMessageContaining("'still'");
            assertThat(disk.sizeBytes()).isEqualTo(DISK);
        }
        Path image = Files.write(folder.resolve("inconsistent.qcow2"), file.bytes());
        assertThat(QemuImg.v10().run("resize", image.toString(), "8M").exit()).isNotZero();
    }

    @Test
    void aFileThatIsOpenedAndClosedAgainAndAgainStaysAsLargeAsItWas() throws Exception {
        write();
        write();
        long size = file.sizeBytes();
        for (int i = 0; i < 100; i++) {
            write();
        }
        assertThat(file.sizeBytes()).isLessThanOrEqualTo(size);
        assertClean();
    }

    /** Each operation of the host fails in turn, once or from there on. */
    @Test
    void whateverFailsNoBitmapIsSilentlyOutOfDate() throws Exception {
        for (boolean once : new boolean[] {true, false}) {
            for (int k = 1; play(k, once); k++) {
                assertThat(k).isLessThan(1000);
            }
        }
    }

    private boolean play(int k, boolean once) throws Exception {
        copy();
        file.fail(new SimFault(SimFault.CHANGES, k, once, once ? Errno.EIO : Errno.ENOSPC));
        AtomicBoolean wrote = new AtomicBoolean();
        AtomicBoolean failed = new AtomicBoolean();
        Stage.play(engine, stage -> {
            try (Disk disk = stage.open(file.reopen(), options());
                    Guest guest = stage.guest(disk)) {
                write(guest);
                wrote.set(true);
                disk.createSnapshot("second");
                disk.resize(2 * DISK);
            } catch (IOException e) {
                failed.set(true);
            }
        });
        boolean hit = file.faultsHit() > 0;
        file.fail(null);
        CheckReport report = ImageCheck.run(file, new CheckOptions(1, 64 << 20), CheckListener.SILENT);
        assertThat(report.corruptions() + report.checkErrors()).as("k = %d", k).isZero();
        Stored one = stored().get("one");
        if (wrote.get() && !one.entry().inUse()) {
            assertThat(one.isDirty(WRITTEN)).as("k = %d", k).isTrue();
        }
        if (hit && one.entry().inUse()) {
            assertThat(failed).as("k = %d: told that the bitmaps are lost", k).isTrue();
        }
        return hit;
    }
}
