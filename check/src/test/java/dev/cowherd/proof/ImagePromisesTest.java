package dev.cowherd.proof;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowherd.check.CheckListener;
import dev.cowherd.check.CheckOptions;
import dev.cowherd.check.CheckReport;
import dev.cowherd.check.ImageCheck;
import dev.cowherd.format.CorruptImageException;
import dev.cowherd.format.Feature;
import dev.cowherd.format.Header;
import dev.cowherd.format.L1Entry;
import dev.cowherd.format.RefcountTableEntry;
import dev.cowherd.image.CreateOptions;
import dev.cowherd.image.DetectZeroes;
import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.DiskQueue;
import dev.cowherd.image.Engine;
import dev.cowherd.image.ImageCreator;
import dev.cowherd.image.Quiesced;
import dev.cowherd.image.ReadOnlyDiskException;
import dev.cowherd.image.Request;
import dev.cowherd.image.ZeroMode;
import dev.cowherd.metadata.WriteStoppedException;
import dev.cowherd.testkit.lab.SimStorage;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

/** What an image may expect of who writes it: its flags, its space, its metadata's places, and whoever copies it underneath. */
@EachEngine
class ImagePromisesTest {
    private static final DiskOptions WRITABLE = DiskOptions.defaults().withWritable(true);
    private static final int CLUSTER = 4096;

    private final Engine engine;

    ImagePromisesTest(Engine engine) {
        this.engine = engine;
    }

    private static SimStorage image(long bytes) throws IOException {
        SimStorage file = new SimStorage("image.qcow2");
        ImageCreator.create(
                file, null, CreateOptions.ofSize(bytes).clusterBits(12).build());
        return file;
    }

    private static Header header(SimStorage file) throws IOException {
        byte[] bytes = file.bytes();
        return Header.decode(ByteBuffer.wrap(bytes), bytes.length);
    }

    private static void writeHeader(SimStorage file, UnaryOperator<Header> change) throws IOException {
        ByteBuffer bytes = change.apply(header(file)).encode();
        MemorySegment segment = Arena.ofAuto().allocate(bytes.remaining());
        file.write(0, segment.copyFrom(MemorySegment.ofBuffer(bytes)));
    }

    private static MemorySegment filled(long bytes, int value) {
        return Arena.ofAuto().allocate(bytes, 4096).fill((byte) value);
    }

    private static CheckReport check(SimStorage file) throws IOException {
        return ImageCheck.run(file, new CheckOptions(1, 64 << 20), CheckListener.SILENT);
    }

    private static void putWord(SimStorage file, long offset, long word) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(Long.BYTES).putLong(word).flip();
        file.write(offset, Arena.ofAuto().allocate(Long.BYTES).copyFrom(MemorySegment.ofBuffer(bytes)));
    }

    private static long word(SimStorage file, long offset) {
        return ByteBuffer.wrap(file.bytes()).getLong(Math.toIntExact(offset));
    }

    /** What is done with a disk while it is open. */
    private interface Use {
        void of(Disk disk, Guest guest) throws IOException;
    }

    private void open(SimStorage file, DiskOptions options, Use use) throws Exception {
        Stage.play(engine, stage -> {
            try (Disk disk = stage.open(file.reopen(), options);
                    Guest guest = stage.guest(disk)) {
                use.of(disk, guest);
            }
        });
    }

    @Test
    void theFirstWriteClearsUnknownAutoclearBitsAndKeepsUnknownCompatibleOnes() throws Exception {
        SimStorage file = image(1 << 20);
        writeHeader(file, now -> now.withFeatures(0, 1L << 40, 1L << 41));
        open(file, WRITABLE, (_, guest) -> {
            guest.read(0, filled(CLUSTER, 0));
            guest.flush();
            assertThat(header(file).autoclearFeatures()).as("before a write").isEqualTo(1L << 41);
            guest.write(0, filled(512, 1));
            assertThat(header(file).autoclearFeatures()).as("after a write").isZero();
        });
        assertThat(header(file).compatibleFeatures()).isEqualTo(1L << 40);
    }

    @Test
    void aCorruptEntryMarksTheImageStopsWritesAndLeavesReads() throws Exception {
        SimStorage file = image(1 << 20);
        open(file, WRITABLE, (_, guest) -> guest.write(0, filled(2 * CLUSTER, 7)));
        long table = L1Entry.l2Offset(word(file, header(file).l1Offset()));
        // The third cluster's entry points at the header.
        putWord(file, table + 2 * Long.BYTES, 1L << 63 | 0x200);
        Stage.play(engine, stage -> {
            Disk disk = stage.open(file.reopen(), WRITABLE);
            try (Guest guest = stage.guest(disk)) {
                assertThatThrownBy(() -> guest.write(2 * CLUSTER, filled(512, 1)))
                        .isInstanceOf(CorruptImageException.class);
                assertThat(header(file).isCorrupt()).isTrue();
                assertThatThrownBy(() -> guest.write(8 * CLUSTER, filled(512, 1)))
                        .isInstanceOf(WriteStoppedException.class);
                MemorySegment seen = filled(CLUSTER, 0);
                guest.read(0, seen);
                assertThat(seen.mismatch(filled(CLUSTER, 7))).isEqualTo(-1);
            }
            assertThatThrownBy(disk::close).isInstanceOf(WriteStoppedException.class);
        });
        assertThatThrownBy(() -> Disk.open(file.reopen(), WRITABLE)).hasMessageContaining("corrupt");
        Disk.open(file.reopen(), DiskOptions.defaults()).close();
    }

    @Test
    void aNewClusterNeverLandsOnMetadataThatRefcountsForgot() throws Exception {
        SimStorage file = image(1 << 20);
        byte[] before = file.bytes();
        long block = RefcountTableEntry.blockOffset(word(file, header(file).refcountTableOffset()));
        // Refcounts of 16 bits: all say free, the header's and the tables' own among them.
        file.write(block, filled(CLUSTER, 0));
        Stage.play(engine, stage -> {
            Disk disk = stage.open(file.reopen(), WRITABLE);
            try (Guest guest = stage.guest(disk)) {
                assertThatThrownBy(() -> guest.write(0, filled(CLUSTER, 1)))
                        .isInstanceOf(CorruptImageException.class)
                        .hasMessageContaining("header");
            }
            assertThatThrownBy(disk::close).isInstanceOf(WriteStoppedException.class);
        });
        assertThat(header(file).isCorrupt()).isTrue();
        byte[] after = file.bytes();
        long l1 = header(file).l1Offset();
        assertThat(Arrays.equals(after, (int) l1, (int) l1 + 8, before, (int) l1, (int) l1 + 8))
                .isTrue();
    }

    @Test
    void aDirtyImageIsNotWrittenBeforeItIsRepaired() throws IOException {
        SimStorage file = image(1 << 20);
        writeHeader(file, now -> now.withFeature(Feature.DIRTY, true));
        assertThatThrownBy(() -> Disk.open(file.reopen(), WRITABLE)).hasMessageContaining("check -r");
    }

    @Test
    void aDiskOpenedReadOnlyRefusesChangesAndWritesNothing() throws Exception {
        SimStorage file = image(1 << 20);
        byte[] before = file.bytes();
        open(file, DiskOptions.defaults(), (disk, guest) -> {
            assertThatThrownBy(() -> guest.write(0, filled(512, 1))).isInstanceOf(ReadOnlyDiskException.class);
            assertThatThrownBy(() -> guest.writeZeroes(0, 512, ZeroMode.MAY_UNMAP))
                    .isInstanceOf(ReadOnlyDiskException.class);
            assertThatThrownBy(() -> guest.discard(0, 512)).isInstanceOf(ReadOnlyDiskException.class);
            assertThatThrownBy(() -> disk.resize(512)).isInstanceOf(ReadOnlyDiskException.class);
            assertThatThrownBy(() -> disk.createSnapshot("s")).isInstanceOf(ReadOnlyDiskException.class);
            guest.flush();
        });
        assertThat(file.bytes()).isEqualTo(before);
    }

    @Test
    void writtenZerosAllocateNothingWhereTheyAreDetected() throws Exception {
        SimStorage file = image(1 << 20);
        open(file, WRITABLE.withDetectZeroes(DetectZeroes.UNMAP), (disk, guest) -> {
            guest.write(0, filled(64 * CLUSTER, 0));
            assertThat(holdsData(disk, 64 * CLUSTER)).isFalse();
            guest.write(0, filled(CLUSTER, 1));
            assertThat(holdsData(disk, CLUSTER)).isTrue();
            guest.write(0, filled(CLUSTER, 0));
            assertThat(holdsData(disk, CLUSTER)).isFalse();
        });
        assertThat(check(file).allocatedClusters()).isZero();
    }

    private static boolean holdsData(Disk disk, long bytes) throws IOException {
        try (DiskQueue queue = disk.openQueue()) {
            return queue.status(0, bytes).data();
        }
    }

    /** Space is used again: the file does not grow beyond what lives in it. */
    @Test
    void manyCyclesOfAllocateFlushAndDiscardKeepTheFileSmall() {
        // In a normal run the engines share the cycles.
        int cycles = Lab.count(10_000, 100_000);
        Lab.part(cycles + " cycles, " + engine, () -> cycles(cycles, new SplittableRandom(Lab.seed())));
    }

    private void cycles(int cycles, SplittableRandom random) throws IOException {
        int live = 200;
        long disk = 64L << 20;
        SimStorage file = image(disk);
        long[] held = new long[live];
        Arrays.fill(held, -1);
        long settledBytes = 0;
        try (Disk opened = Disk.open(file.reopen(), WRITABLE);
                Guest guest = Guest.of(engine, opened)) {
            MemorySegment bytes = filled(CLUSTER, 1);
            for (int i = 0; i < cycles; i++) {
                int slot = random.nextInt(live);
                if (held[slot] >= 0) {
                    guest.discard(held[slot], CLUSTER);
                }
                held[slot] = random.nextLong(disk / CLUSTER) * CLUSTER;
                guest.write(held[slot], bytes);
                if (i % 4 == 0) {
                    guest.flush();
                }
                if (i == cycles / 4) {
                    settledBytes = file.sizeBytes();
                }
            }
        }
        // After a quarter every table is there and every slot is filled: from then on only the live data turns over.
        assertThat(file.sizeBytes()).isLessThanOrEqualTo((long) (1.05 * settledBytes));
        long metadata = file.sizeBytes() - check(file).allocatedClusters() * CLUSTER;
        assertThat(metadata).as("bytes beside live data").isLessThan(64L * CLUSTER);
        assertThat(check(file).isClean()).isTrue();
    }

    @Test
    void aQuiescedDiskStandsStillAndIsWhole() throws IOException {
        SimStorage file = image(1 << 20);
        try (Disk disk = Disk.open(file.reopen(), WRITABLE);
                Guest guest = Guest.of(engine, disk)) {
            guest.write(0, filled(CLUSTER, 3));
            Quiesced still = disk.quiesce();
            byte[] copy = file.bytes();
            Guest.Pending write = guest.begin(new Request.Write(0, CLUSTER, filled(CLUSTER, 4)));
            try (Disk copied = Disk.open(SimStorage.holding("copy.qcow2", copy), DiskOptions.defaults());
                    DiskQueue reading = copied.openQueue()) {
                MemorySegment seen = filled(CLUSTER, 0);
                reading.read(0, seen);
                assertThat(seen.mismatch(filled(CLUSTER, 3))).isEqualTo(-1);
            }
            assertThat(check(SimStorage.holding("copy.qcow2", copy)).isClean()).isTrue();
            assertThat(file.bytes()).as("while it stands still").isEqualTo(copy);
            still.close();
            write.await();
            MemorySegment seen = filled(CLUSTER, 0);
            guest.read(CLUSTER, seen);
            assertThat(seen.mismatch(filled(CLUSTER, 4))).isEqualTo(-1);
        }
    }
}
