package dev.cowherd.format;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What QEMU wrote decodes, and encodes to the very bytes that QEMU wrote. */
class RealImagesTest {
    @TempDir
    private Path folder;

    static Stream<String> options() {
        List<String> options = new ArrayList<>(List.of("compat=0.10", "compat=0.10,cluster_size=2M"));
        for (int bits = 9; bits <= 21; bits++) {
            options.add("compat=1.1,cluster_size=" + (1 << bits));
        }
        for (int bits = 1; bits <= 64; bits *= 2) {
            options.add("compat=1.1,refcount_bits=" + bits);
        }
        options.addAll(List.of(
                "lazy_refcounts=on",
                "compression_type=zstd",
                "extended_l2=on",
                "extended_l2=on,cluster_size=16k,compression_type=zstd",
                "data_file=d.raw",
                "data_file=d.raw,data_file_raw=on",
                "preallocation=metadata"));
        return options.stream();
    }

    @ParameterizedTest
    @MethodSource("options")
    void aHeaderByQemuEncodesToItsOwnBytes(String options) throws IOException {
        QemuImages qemu = new QemuImages(folder);
        qemu.qemuImg("create", "-q", "-f", "qcow2", "-o", options, "a.qcow2", "100M");
        Header header = requireIdentity(qemu.path("a.qcow2"));
        assertThat(header.sizeBytes()).isEqualTo(100 << 20);
        assertThat(header.hasExternalDataFile()).isEqualTo(options.contains("data_file"));
        assertThat(header.dataFile()).isEqualTo(options.contains("data_file") ? "d.raw" : null);
        assertThat(header.dataFileRaw()).isEqualTo(options.contains("raw=on"));
        assertThat(header.hasExtendedL2()).isEqualTo(options.contains("extended_l2"));
        assertThat(header.lazyRefcounts()).isEqualTo(options.contains("lazy"));
        assertThat(header.compressionType())
                .isEqualTo(options.contains("zstd") ? CompressionType.ZSTD : CompressionType.ZLIB);
    }

    @Test
    void theFeatureNamesOfQemuAreOurs() throws IOException {
        QemuImages qemu = new QemuImages(folder);
        qemu.qemuImg("create", "-q", "-f", "qcow2", "a.qcow2", "1M");
        HeaderExtension.FeatureNames names = Objects.requireNonNull(
                requireIdentity(qemu.path("a.qcow2")).extension(HeaderExtension.FeatureNames.class));
        assertThat(names.names()).hasSize(Feature.values().length);
        for (Feature feature : Feature.values()) {
            assertThat(names.nameOf(feature.kind(), feature.bit())).isEqualTo(feature.label());
        }
    }

    @Test
    void backingNameFormatSnapshotsAndBitmapsByQemuDecodeAndEncodeToTheirOwnBytes() throws IOException {
        QemuImages qemu = new QemuImages(folder);
        qemu.qemuImg("create", "-q", "-f", "raw", "base file.raw", "8M");
        qemu.qemuImg("create", "-q", "-f", "qcow2", "-b", "base file.raw", "-F", "raw", "a.qcow2");
        for (String tag : List.of("first", "second one", "3")) {
            qemu.qemuImg("snapshot", "-c", tag, "a.qcow2");
        }
        qemu.qemuImg("bitmap", "--add", "a.qcow2", "b0");
        qemu.qemuImg("bitmap", "--add", "-g", "1M", "--disable", "a.qcow2", "bit map 2");
        Path image = qemu.path("a.qcow2");
        Header header = requireIdentity(image);
        assertThat(header.backingFile()).isEqualTo("base file.raw");
        assertThat(header.backingFormat()).isEqualTo("raw");
        requireSnapshots(image, header);
        requireBitmaps(image, header);
    }

    private static void requireSnapshots(Path image, Header header) throws IOException {
        long fileBytes = image.toFile().length();
        ByteBuffer table = ByteBuffer.allocate(0);
        int needed;
        while ((needed = Snapshot.bytesNeeded(table, header, fileBytes)) > table.limit()) {
            table = read(image, header.snapshotsOffset(), needed);
        }
        table.limit(needed);
        List<Snapshot> snapshots = Snapshot.decodeTable(table, header);
        assertThat(snapshots).extracting(Snapshot::name).containsExactly("first", "second one", "3");
        assertThat(snapshots).extracting(Snapshot::id).containsExactly("1", "2", "3");
        assertThat(snapshots).allSatisfy(snapshot -> {
            assertThat(snapshot.diskBytes(header)).isEqualTo(8 << 20);
            assertThat(snapshot.vmStateBytes()).isZero();
            assertThat(snapshot.icount()).isZero();
            assertThat(snapshot.requireL1(header, fileBytes)).isEqualTo(1);
        });
        assertThat(Snapshot.encodeTable(snapshots)).isEqualTo(table);
    }

    private static void requireBitmaps(Path image, Header header) throws IOException {
        HeaderExtension.Bitmaps bitmaps = Objects.requireNonNull(header.bitmapsExtension());
        assertThat(header.bitmapsConsistent()).isTrue();
        ByteBuffer directory = read(image, bitmaps.directoryOffset(), (int) bitmaps.directoryBytes());
        List<BitmapEntry> entries = BitmapEntry.decodeDirectory(directory, bitmaps);
        assertThat(entries).extracting(BitmapEntry::name).containsExactly("b0", "bit map 2");
        assertThat(entries).extracting(BitmapEntry::granularityBits).containsExactly(16, 20);
        assertThat(entries).extracting(BitmapEntry::auto).containsExactly(true, false);
        for (BitmapEntry entry : entries) {
            entry.require(header, image.toFile().length());
        }
        assertThat(BitmapEntry.encodeDirectory(entries)).isEqualTo(directory);
    }

    private static Header requireIdentity(Path image) throws IOException {
        long fileBytes = image.toFile().length();
        ByteBuffer first = read(image, 0, Header.PREFIX_BYTES);
        int needed = Header.bytesNeeded(first, fileBytes);
        if (needed > first.limit()) {
            first = read(image, 0, needed);
        }
        Header header = Header.decode(first, fileBytes);
        ByteBuffer encoded = header.encode();
        assertThat(encoded).isEqualTo(read(image, 0, encoded.limit()));
        return header;
    }

    private static ByteBuffer read(Path image, long offset, int length) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(length);
        try (FileChannel channel = FileChannel.open(image)) {
            while (bytes.hasRemaining() && channel.read(bytes, offset + bytes.position()) >= 0) {
                // Until all of it is there, or the file ends.
            }
        }
        return bytes.flip();
    }
}
