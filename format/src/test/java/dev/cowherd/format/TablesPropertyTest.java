package dev.cowherd.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Decoding and encoding snapshot tables and bitmap directories are inverse to each other, on valid and mutated bytes. */
class TablesPropertyTest {
    private static final int CLUSTER = 65536;
    private static final long FILE = 1 << 30;

    @Test
    void snapshotTablesComeBackAsTheyWere() {
        Cases.run(1000, random -> {
            List<Snapshot> snapshots = snapshots(random);
            Header header = header(snapshots.size());
            ByteBuffer table = Snapshot.encodeTable(snapshots);
            assertThat(Snapshot.decodeTable(table, header)).isEqualTo(snapshots);
            ByteBuffer prefix = table.slice(0, 0);
            int rounds = 0;
            int needed;
            while ((needed = Snapshot.bytesNeeded(prefix, header, FILE)) > prefix.limit()) {
                prefix = ByteBuffer.allocate(needed)
                        .put(table.slice(0, Math.min(needed, table.limit())))
                        .rewind();
                assertThat(++rounds).isLessThan(60);
            }
            assertThat(needed).isEqualTo(table.limit());
        });
    }

    @Test
    void mutatedSnapshotTablesAreRefusedByTypeOrComeBackAsTheyWere() {
        int[] decoded = {0};
        Cases.run(3000, random -> {
            List<Snapshot> snapshots = snapshots(random);
            ByteBuffer table = Snapshot.encodeTable(snapshots);
            mutate(random, table);
            List<Snapshot> read;
            try {
                read = Snapshot.decodeTable(table, header(snapshots.size()));
                for (Snapshot snapshot : read) {
                    snapshot.requireL1(header(1), FILE);
                }
            } catch (CorruptImageException e) {
                return;
            }
            decoded[0]++;
            assertThat(Snapshot.decodeTable(Snapshot.encodeTable(read), header(read.size())))
                    .isEqualTo(read);
        });
        assertThat(decoded[0]).isGreaterThan(100);
    }

    @Test
    void bitmapDirectoriesComeBackAsTheyWere() {
        Cases.run(1000, random -> {
            List<BitmapEntry> entries = bitmaps(random);
            ByteBuffer directory = BitmapEntry.encodeDirectory(entries);
            assertThat(BitmapEntry.decodeDirectory(directory, extension(directory, entries.size())))
                    .isEqualTo(entries);
        });
    }

    @Test
    void mutatedBitmapDirectoriesAreRefusedByTypeOrComeBackAsTheyWere() {
        int[] decoded = {0};
        Cases.run(3000, random -> {
            List<BitmapEntry> entries = bitmaps(random);
            ByteBuffer directory = BitmapEntry.encodeDirectory(entries);
            mutate(random, directory);
            List<BitmapEntry> read;
            try {
                read = BitmapEntry.decodeDirectory(directory, extension(directory, entries.size()));
            } catch (CorruptImageException e) {
                return;
            }
            decoded[0]++;
            ByteBuffer again = BitmapEntry.encodeDirectory(read);
            assertThat(BitmapEntry.decodeDirectory(again, extension(again, read.size())))
                    .isEqualTo(read);
            try {
                read.getFirst().require(header(0), FILE);
            } catch (ImageFormatException e) {
                assertThat(e.getMessage()).isNotBlank();
            }
        });
        assertThat(decoded[0]).isGreaterThan(100);
    }

    @Test
    void labelsOfAnyBytesComeBackAsTheyWere() {
        Cases.run(5000, random -> {
            byte[] bytes = new byte[random.nextInt(40)];
            random.nextBytes(bytes);
            if (random.nextBoolean()) {
                byte[] text = "ü🐄ab".getBytes(StandardCharsets.UTF_8);
                System.arraycopy(text, 0, bytes, 0, Math.min(text.length, bytes.length));
            }
            assertThat(Text.encode(Text.label(ByteBuffer.wrap(bytes)))).isEqualTo(bytes);
        });
    }

    @Test
    void aSnapshotTableIsBoundedByTheFileAndByTheLimits() {
        ByteBuffer none = ByteBuffer.allocate(0);
        assertThatThrownBy(() -> Snapshot.bytesNeeded(none, header(65536), 3L * CLUSTER))
                .isInstanceOf(CorruptImageException.class)
                .hasMessage("snapshot table at offset 0x20000: 65536 snapshots do not fit into 65536 bytes");
        ByteBuffer entry = ByteBuffer.allocate(48).putInt(36, 1025);
        assertThatThrownBy(() -> Snapshot.decodeTable(entry, header(1)))
                .hasMessage("snapshot table at offset 0x20000: extra data of 1025 bytes, at most 1024");
        entry.putInt(36, 8).putShort(12, (short) 1);
        assertThatThrownBy(() -> Snapshot.decodeTable(entry, header(1)))
                .hasMessage("snapshot table at offset 0x20000: ends within the entry of snapshot number 0");
    }

    @Test
    void aSnapshotsL1TableIsJudgedBeforeItIsRead() throws CorruptImageException {
        assertThat(snapshot(3L * CLUSTER, 10).requireL1(header(1), FILE)).isEqualTo(10);
        for (Snapshot hostile : List.of(
                snapshot(3L * CLUSTER, Limits.MAX_L1_BYTES / 8 + 1),
                snapshot(3L * CLUSTER, 0xffff_ffffL),
                snapshot(3L * CLUSTER + 8, 1),
                snapshot(0, 1),
                snapshot(FILE, 1),
                snapshot(Long.MIN_VALUE, 1),
                snapshot(1L << 57, 1))) {
            assertThatThrownBy(() -> hostile.requireL1(header(1), FILE))
                    .isInstanceOf(CorruptImageException.class)
                    .hasMessageStartingWith("L1 table of snapshot '7'");
        }
    }

    @Test
    void extraDataGivesTheLargeSizes() {
        ByteBuffer extra =
                ByteBuffer.allocate(24).putLong(5L << 32).putLong(1 << 20).putLong(42);
        Snapshot full = new Snapshot("1", "a", 0, 0, 0, 0, 0, 9, Bytes.of(extra.array()));
        assertThat(full.vmStateBytes()).isEqualTo(5L << 32);
        assertThat(full.diskBytes(header(1))).isEqualTo(1 << 20);
        assertThat(full.icount()).isEqualTo(42);
        Snapshot old = new Snapshot("1", "a", 0, 0, 0, 0, 0, 9, Bytes.EMPTY);
        assertThat(old.vmStateBytes()).isEqualTo(9);
        assertThat(old.diskBytes(header(1))).isEqualTo(1 << 30);
        assertThat(old.icount()).isEqualTo(-1);
    }

    private static Snapshot snapshot(long l1Offset, long l1Entries) {
        return new Snapshot("7", "seven", l1Offset, l1Entries, 0, 0, 0, 0, Bytes.EMPTY);
    }

    private static Header header(int snapshots) {
        ByteBuffer bytes = HostileHeaderTest.valid().putInt(60, snapshots).putLong(64, 2L * CLUSTER);
        try {
            return Header.decode(bytes, FILE);
        } catch (ImageFormatException e) {
            throw new AssertionError(e);
        }
    }

    private static HeaderExtension.Bitmaps extension(ByteBuffer directory, int count) {
        return new HeaderExtension.Bitmaps(count, 0, directory.limit(), CLUSTER);
    }

    private static List<Snapshot> snapshots(Random random) {
        List<Snapshot> snapshots = new ArrayList<>();
        for (int i = 1 + random.nextInt(6); i > 0; i--) {
            byte[] extra = new byte[random.nextInt(4) == 0 ? random.nextInt(1025) : 8 * random.nextInt(4)];
            random.nextBytes(extra);
            snapshots.add(new Snapshot(
                    Integer.toString(i),
                    random.nextInt(50) == 0 ? "x".repeat(random.nextInt(65536)) : RandomHeader.name(random, 100),
                    (long) random.nextInt(1000) * CLUSTER,
                    random.nextInt(100),
                    random.nextLong() >>> 32,
                    random.nextInt(1_000_000_000),
                    random.nextLong(),
                    random.nextLong() >>> 32,
                    Bytes.of(extra)));
        }
        return snapshots;
    }

    private static List<BitmapEntry> bitmaps(Random random) {
        List<BitmapEntry> entries = new ArrayList<>();
        for (int i = 1 + random.nextInt(6); i > 0; i--) {
            byte[] extra = new byte[random.nextInt(4) == 0 ? random.nextInt(50) : 0];
            random.nextBytes(extra);
            entries.add(new BitmapEntry(
                    RandomHeader.name(random, 1023),
                    (long) random.nextInt(1000) * CLUSTER,
                    random.nextInt(100),
                    random.nextInt(4),
                    random.nextInt(3),
                    random.nextInt(40),
                    Bytes.of(extra)));
        }
        return entries;
    }

    private static void mutate(Random random, ByteBuffer bytes) {
        for (int i = 1 + random.nextInt(3); i > 0; i--) {
            bytes.put(random.nextInt(Math.min(bytes.limit(), 200)), (byte) random.nextInt());
        }
    }
}
