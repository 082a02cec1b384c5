package dev.cowherd.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowherd.format.HeaderExtension.BackingFormat;
import dev.cowherd.format.HeaderExtension.FeatureName;
import dev.cowherd.format.HeaderExtension.FeatureNames;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** A changed header differs in what was named and in nothing else, on disk too; a new one reads back as it was made. */
class HeaderChangesTest {
    @Test
    void aChangeOfNumbersTouchesOnlyTheirBytes() {
        Cases.run(500, random -> {
            Header header = RandomHeader.of(random).header();
            onlyDiffers(header, header.withSize(random.nextLong()), 24, 32);
            onlyDiffers(header, header.withL1(random.nextInt(), random.nextLong()), 36, 48);
            onlyDiffers(header, header.withRefcountTable(random.nextLong(), random.nextInt()), 48, 60);
            onlyDiffers(header, header.withSnapshots(random.nextInt(), random.nextLong()), 60, 72);
            if (header.version() == 2) {
                return;
            }
            onlyDiffers(header, header.withFeatures(random.nextLong(), random.nextLong(), random.nextLong()), 72, 96);
            onlyDiffers(header, header.withFeature(Feature.DIRTY, random.nextBoolean()), 72, 80);
            onlyDiffers(header, header.withFeature(Feature.LAZY_REFCOUNTS, random.nextBoolean()), 80, 88);
            onlyDiffers(header, header.withFeature(Feature.BITMAPS, random.nextBoolean()), 88, 96);
        });
    }

    private static void onlyDiffers(Header before, Header after, int from, int to) {
        ByteBuffer old = before.encode();
        ByteBuffer changed = after.encode();
        assertThat(changed.limit()).isEqualTo(old.limit());
        assertThat(changed.slice(0, from)).isEqualTo(old.slice(0, from));
        int rest = Math.min(to, old.limit());
        assertThat(changed.slice(rest, old.limit() - rest)).isEqualTo(old.slice(rest, old.limit() - rest));
    }

    @Test
    void aFeatureBitGoesOnAndOff() {
        Header header = fresh(3);
        for (Feature feature : Feature.values()) {
            Header set = header.withFeature(feature, true);
            assertThat(set.has(feature)).isTrue();
            assertThat(set.withFeature(feature, false)).isEqualTo(header);
        }
    }

    @Test
    void anotherBackingFileAndOtherExtensionsKeepTheRest() {
        Cases.run(500, random -> {
            RandomHeader made = RandomHeader.of(random);
            List<HeaderExtension> extensions = new ArrayList<>(made.header().extensions());
            extensions.removeIf(BackingFormat.class::isInstance);
            extensions.add(random.nextInt(extensions.size() + 1), new BackingFormat("raw"));
            String name = random.nextInt(4) == 0 ? null : "n".repeat(1 + random.nextInt(40));
            Header changed = made.header().withBackingFile(name).withExtensions(extensions);
            if (!changed.fits()) {
                return;
            }
            Header read = Header.decode(firstCluster(changed), made.fileBytes());
            assertThat(read).isEqualTo(changed);
            assertThat(read.backingFile()).isEqualTo(name);
            assertThat(read.backingFormat()).isEqualTo("raw");
            assertThat(read.unknownFields()).isEqualTo(made.header().unknownFields());
            assertThat(read.extensions()).containsAll(extensions);
        });
    }

    @Test
    void aNameThatHasNoRoomIsSeenBeforeItIsWritten() {
        Geometry small = new Geometry(9, false, 4);
        Header header = Header.fresh(3, small, CompressionType.ZLIB);
        int room = 512 - 112 - 8;
        Header full = header.withBackingFile("b".repeat(room));
        assertThat(full.fits()).isTrue();
        assertThat(full.encode().limit()).isEqualTo(512);
        Header tooLong = header.withBackingFile("b".repeat(room + 1));
        assertThat(tooLong.fits()).isFalse();
        assertThatThrownBy(tooLong::encode).isInstanceOf(IllegalStateException.class);
        assertThat(header.withExtensions(List.of(FeatureNames.ofKnownFeatures()))
                        .fits())
                .as("112 + 8 + 384 + 8 bytes")
                .isTrue();
    }

    @Test
    void aNewHeaderReadsBackAsItWasMade() throws ImageFormatException {
        for (int version = 2; version <= 3; version++) {
            Header header = fresh(version).withRefcountTable(65536, 1).withBackingFile("base");
            assertThat(Header.decode(firstCluster(header), 1 << 20)).isEqualTo(header);
            assertThat(header.headerLength()).isEqualTo(version == 2 ? 72 : 112);
        }
        Header all =
                Header.fresh(3, new Geometry(16, true, 6), CompressionType.ZSTD).withRefcountTable(65536, 1);
        assertThat(all.hasExtendedL2()).isTrue();
        assertThat(Header.decode(firstCluster(all), 1 << 20)).isEqualTo(all);
    }

    @Test
    void version2HasNoFeatures() {
        assertThatThrownBy(() -> Header.fresh(2, new Geometry(16, false, 3), CompressionType.ZLIB))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> Header.fresh(2, new Geometry(16, false, 4), CompressionType.ZSTD))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> Header.fresh(4, new Geometry(16, false, 4), CompressionType.ZLIB))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void theTableOfFeatureNamesNamesEachOnce() {
        FeatureNames table = FeatureNames.ofKnownFeatures();
        assertThat(table.names())
                .containsExactlyElementsOf(List.of(Feature.values()).stream()
                        .map(feature -> new FeatureName(feature.kind().code(), feature.bit(), feature.label()))
                        .toList());
        assertThat(table.data().remaining()).isEqualTo(384);
    }

    @Test
    void aRefcountTableEntryIsTheBlocksOffset() {
        assertThat(RefcountTableEntry.blockOffset(RefcountTableEntry.of(0x1_0000)))
                .isEqualTo(0x1_0000);
        assertThatThrownBy(() -> RefcountTableEntry.of(0x100)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void aSnapshotOfTheDiskAloneSaysWhatQemuSays() throws CorruptImageException {
        Snapshot snapshot =
                Snapshot.ofDisk("7", "before", 1_700_000_000L, 5, 1 << 30).withL1(0x5_0000, 2);
        Header header = fresh(3).withSnapshots(1, 0x10_0000);
        List<Snapshot> read = Snapshot.decodeTable(Snapshot.encodeTable(List.of(snapshot)), header);
        assertThat(read).containsExactly(snapshot);
        assertThat(snapshot.extraData().length()).isEqualTo(24);
        assertThat(snapshot.diskBytes(header)).isEqualTo(1 << 30);
        assertThat(snapshot.icount()).isEqualTo(-1);
        assertThat(snapshot.vmStateBytes()).isZero();
        Snapshot moved = new Snapshot("1", "n", 1, 2, 3, 4, 5, 6, Bytes.of(new byte[] {1, 2, 3})).withL1(512, 9);
        assertThat(moved).isEqualTo(new Snapshot("1", "n", 512, 9, 3, 4, 5, 6, Bytes.of(new byte[] {1, 2, 3})));
    }

    private static Header fresh(int version) {
        return Header.fresh(version, new Geometry(16, false, 4), CompressionType.ZLIB);
    }

    private static ByteBuffer firstCluster(Header header) {
        return ByteBuffer.allocate(1 << header.clusterBits())
                .put(header.encode())
                .rewind();
    }
}
