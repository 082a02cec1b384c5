package dev.cowherd.proof;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowherd.format.BitmapEntry;
import dev.cowherd.format.CorruptImageException;
import dev.cowherd.format.Header;
import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.DiskQueue;
import dev.cowherd.image.Engine;
import dev.cowherd.image.ZeroMode;
import dev.cowherd.metadata.WriteStoppedException;
import dev.cowherd.testkit.Peers;
import dev.cowherd.testkit.Processes;
import dev.cowherd.testkit.QemuImg;
import dev.cowherd.testkit.Ran;
import dev.cowherd.testkit.lab.SimStorage;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * An entry, a table's entry or a refcount says that a place is free for something, and another structure lies there: no write lands on
 * it, the image is marked corrupt and takes no more writes, and reading goes on. As QEMU does it with all its overlap checks on.
 */
@EachEngine
class OverlapTest {
    private static final int CLUSTER = 4096;
    private static final long COPIED = 1L << 63;
    private static final DiskOptions WRITABLE = DiskOptions.defaults().withWritable(true);

    @TempDir
    static Path folder;

    private static byte[] sound = {};

    private final Engine engine;

    OverlapTest(Engine engine) {
        this.engine = engine;
    }

    /** The kinds of QEMU's overlap checks, in QEMU's words. */
    enum Place {
        HEADER("qcow2_header"),
        ACTIVE_L1("active L1 table"),
        ACTIVE_L2("active L2 table"),
        REFCOUNT_TABLE("refcount table"),
        REFCOUNT_BLOCK("refcount block"),
        SNAPSHOT_TABLE("snapshot table"),
        INACTIVE_L1("inactive L1 table"),
        INACTIVE_L2("inactive L2 table"),
        BITMAP_DIRECTORY("bitmap directory");

        final String words;

        Place(String words) {
            this.words = words;
        }

        long offset(ByteBuffer image) throws IOException {
            Header header = Header.decode(image.duplicate(), image.capacity());
            long snapshotL1 = image.getLong((int) header.snapshotsOffset());
            return switch (this) {
                case HEADER -> 0;
                case ACTIVE_L1 -> header.l1Offset();
                // The table of the disk's second part: the attacks come by the first one's.
                case ACTIVE_L2 -> word(image, header.l1Offset() + 8);
                case REFCOUNT_TABLE -> header.refcountTableOffset();
                case REFCOUNT_BLOCK -> word(image, header.refcountTableOffset());
                case SNAPSHOT_TABLE -> header.snapshotsOffset();
                case INACTIVE_L1 -> snapshotL1;
                case INACTIVE_L2 -> word(image, snapshotL1);
                case BITMAP_DIRECTORY ->
                    java.util.Objects.requireNonNull(header.bitmapsExtension()).directoryOffset();
            };
        }
    }

    private static long word(ByteBuffer image, long at) {
        return image.getLong((int) at) & 0x00ff_ffff_ffff_fe00L;
    }

    /** Whose word leads there. */
    enum Attack {
        DATA,
        DATA_OF_ZEROS,
        SHARED_DATA,
        COMPRESSED_DATA,
        L2_TABLE,
        REFCOUNT_BLOCK,
        REFCOUNT_ZERO;

        /** Bends an image; the guest cluster whose change would do harm is at {@link #guestOffset}. */
        void bend(ByteBuffer image, long place) throws IOException {
            Header header = Header.decode(image.duplicate(), image.capacity());
            int entry = (int) word(image, header.l1Offset()) + 8 * 20;
            switch (this) {
                case DATA -> image.putLong(entry, COPIED | place);
                case DATA_OF_ZEROS -> image.putLong(entry, COPIED | place | 1);
                case SHARED_DATA -> {
                    image.putLong(entry, place);
                    refcount(image, place, 2);
                }
                case COMPRESSED_DATA -> image.putLong(entry, 1L << 62 | place);
                case L2_TABLE -> image.putLong((int) header.l1Offset() + 8 * 2, COPIED | place);
                case REFCOUNT_BLOCK -> image.putLong((int) header.refcountTableOffset(), place);
                case REFCOUNT_ZERO -> refcount(image, place, 0);
            }
        }

        private static void refcount(ByteBuffer image, long place, int count) throws IOException {
            int block = (int) Place.REFCOUNT_BLOCK.offset(image);
            image.putShort(block + 2 * (int) (place / CLUSTER), (short) count);
        }

        long guestOffset() {
            return this == L2_TABLE ? 4L << 20 : 20L * CLUSTER;
        }
    }

    /** What a guest asks for. */
    enum Deed {
        WRITE,
        WRITE_PART,
        ZERO,
        DISCARD;

        void run(Guest queue, long at) throws IOException {
            switch (this) {
                case WRITE -> queue.write(at, filled(CLUSTER, 9));
                case WRITE_PART -> queue.write(at + 512, filled(512, 9));
                case ZERO -> queue.writeZeroes(at, CLUSTER, ZeroMode.MAY_UNMAP);
                case DISCARD -> queue.discard(at, CLUSTER);
            }
            queue.flush();
        }
    }

    record Case(Place place, Attack attack, Deed deed) {}

    private static MemorySegment filled(long bytes, int value) {
        return Arena.ofAuto().allocate(bytes, 4096).fill((byte) value);
    }

    /** Made by QEMU: one structure of each kind, and three L2 tables. */
    @BeforeAll
    static void makeTheSoundImage() throws IOException {
        QemuImg qemu = QemuImg.v10();
        Path image = folder.resolve("sound.qcow2");
        qemu.create(image, "8M", "-o", "cluster_size=" + CLUSTER);
        qemu.io(image, List.of("write -P 1 0 16k", "write -P 2 2M 8k"));
        qemu.run("snapshot", "-c", "first", image.toString()).orFail();
        qemu.io(image, List.of("write -P 3 4k 8k", "write -P 4 2M 4k", "write -P 5 4M 4k"));
        qemu.run("bitmap", "--add", image.toString(), "marks").orFail();
        qemu.run("check", image.toString()).orFail();
        sound = Files.readAllBytes(image);
    }

    private static byte[] bent(Place place, Attack attack) throws IOException {
        ByteBuffer image = ByteBuffer.wrap(sound.clone());
        attack.bend(image, place.offset(image));
        return image.array();
    }

    static Stream<Case> cases() {
        List<Case> cases = new ArrayList<>();
        for (Place place : Place.values()) {
            for (Attack attack : Attack.values()) {
                // No entry can name the header: offset 0 says that there is nothing.
                boolean sensible =
                        place == Place.HEADER ? attack == Attack.REFCOUNT_ZERO : !liesOnItself(place, attack);
                for (Deed deed : sensible ? Deed.values() : new Deed[0]) {
                    boolean allocates = deed == Deed.WRITE || deed == Deed.WRITE_PART;
                    if (allocates || attack.compareTo(Attack.L2_TABLE) < 0) {
                        cases.add(new Case(place, attack, deed));
                    }
                }
            }
        }
        return cases.stream();
    }

    private static boolean liesOnItself(Place place, Attack attack) {
        return attack == Attack.L2_TABLE
                ? place == Place.ACTIVE_L2
                : attack == Attack.REFCOUNT_BLOCK && place == Place.REFCOUNT_BLOCK;
    }

    @ParameterizedTest
    @MethodSource("cases")
    void noStructureIsOverwrittenAndTheImageIsMarked(Case one) throws Exception {
        byte[] before = bent(one.place, one.attack);
        SimStorage file = SimStorage.holding("bent.qcow2", before);
        Stage.play(engine, stage -> {
            Disk disk = stage.open(file.reopen(), WRITABLE);
            try (Guest queue = stage.guest(disk)) {
                assertThatThrownBy(() -> one.deed.run(queue, one.attack.guestOffset()))
                        .isInstanceOf(CorruptImageException.class);
                assertThat(header(file.bytes()).isCorrupt()).isTrue();
                assertThatThrownBy(() -> queue.write(0, filled(CLUSTER, 9))).isInstanceOf(WriteStoppedException.class);
                assertThatThrownBy(queue::flush).isInstanceOf(WriteStoppedException.class);
                assertReads(queue);
            }
            assertThatThrownBy(disk::close).isInstanceOf(WriteStoppedException.class);
        });
        byte[] after = file.bytes();
        // The first write marks the bitmap as in use, where the directory is what it should be.
        int flags = (int) Place.BITMAP_DIRECTORY.offset(ByteBuffer.wrap(before)) + 15;
        assertThat(after[flags] & ~BitmapEntry.IN_USE).isEqualTo(before[flags]);
        before[flags] = after[flags];
        assertThat(Arrays.mismatch(
                        Arrays.copyOfRange(before, CLUSTER, before.length),
                        Arrays.copyOfRange(after, CLUSTER, before.length)))
                .as("first byte past the header's cluster that changed")
                .isEqualTo(-1);
        assertThatThrownBy(() -> Disk.open(file.reopen(), WRITABLE)).hasMessageContaining("corrupt");
        Stage.play(engine, stage -> {
            try (Disk reading = stage.open(file.reopen(), DiskOptions.defaults());
                    Guest queue = stage.guest(reading)) {
                assertReads(queue);
            }
        });
    }

    private static Header header(byte[] image) throws IOException {
        return Header.decode(ByteBuffer.wrap(image), image.length);
    }

    private static void assertReads(Guest queue) throws IOException {
        MemorySegment seen = filled(CLUSTER, 0);
        queue.read(CLUSTER, seen);
        assertThat(seen.mismatch(filled(CLUSTER, 3))).isEqualTo(-1);
    }

    /** What an administrator asks for. */
    enum Change {
        TAKE,
        APPLY,
        DELETE,
        GROW,
        GROW_FAR,
        SHRINK;

        void run(Disk disk) throws IOException {
            switch (this) {
                case TAKE -> disk.createSnapshot("second");
                case APPLY -> disk.applySnapshot("first");
                case DELETE -> disk.deleteSnapshot("first");
                case GROW -> disk.resize(16 << 20);
                case GROW_FAR -> disk.resize(4L << 30);
                case SHRINK -> disk.resize(1 << 20);
            }
        }
    }

    /** A change that follows bent words is refused, or leaves alone what it was not asked to change. */
    @ParameterizedTest
    @EnumSource(Change.class)
    void aStructuralChangeOfABentImageIsRefusedOrDoesNoHarm(Change change) throws IOException {
        for (Place place : Place.values()) {
            for (Attack attack : Attack.values()) {
                if (place == Place.HEADER && attack != Attack.REFCOUNT_ZERO) {
                    continue;
                }
                SimStorage file = SimStorage.holding("bent.qcow2", bent(place, attack));
                Disk disk = Disk.open(file.reopen(), WRITABLE);
                boolean done = false;
                try {
                    change.run(disk);
                    done = true;
                    disk.close();
                } catch (IOException e) {
                    assertThat(e).as("%s %s", place, attack).hasMessageContaining("bent.qcow2");
                } catch (RuntimeException e) {
                    throw new AssertionError(change + " with " + place + " " + attack, e);
                }
                try (Disk reading = Disk.open(file.reopen(), DiskOptions.defaults());
                        DiskQueue queue = reading.openQueue()) {
                    MemorySegment seen = filled(CLUSTER, 0);
                    queue.read(CLUSTER, seen);
                    assertThat(seen.mismatch(filled(CLUSTER, done && change == Change.APPLY ? 1 : 3)))
                            .as("%s %s", place, attack)
                            .isEqualTo(-1);
                }
            }
        }
    }

    /** What QEMU prevents by the same check is prevented here, and marked by both. */
    @ParameterizedTest
    @EnumSource(value = Place.class, mode = EnumSource.Mode.EXCLUDE, names = "HEADER")
    void qemuPreventsTheSameWrites(Place place) throws IOException {
        for (Attack attack : List.of(Attack.DATA, Attack.L2_TABLE, Attack.REFCOUNT_BLOCK)) {
            if (liesOnItself(place, attack)) {
                continue;
            }
            Path image = Files.write(folder.resolve("qemu.qcow2"), bent(place, attack));
            Ran ran = Processes.run(List.of(
                    Peers.qemu10("qemu-io").toString(),
                    "-c",
                    "write -P 9 " + attack.guestOffset() + " 4k",
                    "-c",
                    "flush",
                    "json:{\"driver\":\"qcow2\",\"overlap-check\":\"all\",\"file\":{\"driver\":\"file\",\"filename\":\""
                            + image + "\"}}"));
            // What a bent table leads to first depends on what its words happen to be.
            assertThat(ran.out() + ran.err())
                    .as("%s", attack)
                    .contains("Preventing invalid write")
                    .contains(attack == Attack.DATA ? "overlaps with " + place.words : "overlaps with ");
            assertThat(header(Files.readAllBytes(image)).isCorrupt()).isTrue();
        }
    }

    /**
     * The header's own writes ask nobody what else is in its cluster, as in QEMU, which writes it over a snapshot's table there. Here such
     * an image is not opened to be written in the first place.
     */
    @Test
    void aTableInTheHeadersClusterIsRefusedWhereQemuWritesTheHeaderOverIt() throws IOException {
        ByteBuffer image = ByteBuffer.wrap(sound.clone());
        image.putLong((int) header(sound).snapshotsOffset(), 0);
        Path file = Files.write(folder.resolve("header.qcow2"), image.array());
        QemuImg.v10().run("amend", "-o", "lazy_refcounts=on", file.toString()).orFail();
        assertThat(header(Files.readAllBytes(file)).lazyRefcounts()).isTrue();
        SimStorage ours = SimStorage.holding("header.qcow2", image.array());
        assertThatThrownBy(() -> Disk.open(ours.reopen(), WRITABLE)).isInstanceOf(CorruptImageException.class);
        assertThat(ours.bytes()).isEqualTo(image.array());
    }

    /** Two entries claim one cluster: what one gives away, and a table takes, the other must not write to any more. */
    @Test
    void aClusterThatTwoEntriesClaimIsNotWrittenOnceATableLiesThere() throws Exception {
        SimStorage file = SimStorage.holding("twice.qcow2", sound);
        ByteBuffer image = ByteBuffer.wrap(sound);
        int table = (int) word(image, header(sound).l1Offset());
        ByteBuffer word =
                ByteBuffer.allocate(8).putLong(image.getLong(table + 8)).flip();
        file.write(table + 8 * 20, filled(8, 0).copyFrom(MemorySegment.ofBuffer(word)));
        Stage.play(engine, stage -> {
            Disk disk = stage.open(file.reopen(), WRITABLE.withPunchHoles(true));
            try (Guest queue = stage.guest(disk)) {
                queue.discard(CLUSTER, CLUSTER);
                queue.flush();
                queue.flush();
                // A table for another part of the disk takes the first free cluster.
                queue.write(6L << 20, filled(CLUSTER, 6));
                queue.flush();
                long given = word(ByteBuffer.wrap(file.bytes()), table + 8 * 20);
                assertThat(word(ByteBuffer.wrap(file.bytes()), header(sound).l1Offset() + 8 * 3))
                        .isEqualTo(given);
                for (Deed deed : Deed.values()) {
                    assertThatThrownBy(() -> deed.run(queue, 20L * CLUSTER)).isInstanceOf(IOException.class);
                }
                MemorySegment seen = filled(CLUSTER, 0);
                queue.read(6L << 20, seen);
                assertThat(seen.mismatch(filled(CLUSTER, 6))).isEqualTo(-1);
            }
            assertThat(header(file.bytes()).isCorrupt()).isTrue();
            assertThatThrownBy(disk::close).isInstanceOf(WriteStoppedException.class);
        });
        try (Disk reading = Disk.open(file.reopen(), DiskOptions.defaults());
                DiskQueue queue = reading.openQueue()) {
            MemorySegment seen = filled(CLUSTER, 0);
            queue.read(6L << 20, seen);
            assertThat(seen.mismatch(filled(CLUSTER, 6))).isEqualTo(-1);
        }
    }
}
