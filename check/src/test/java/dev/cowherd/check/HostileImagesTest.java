package dev.cowherd.check;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.testkit.HostileImage;
import dev.cowherd.testkit.HostileImages;
import dev.cowherd.testkit.Processes;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Images made to hurt get a report or a typed refusal, in a heap of 64 MiB and in bounded time: neither memory nor work
 * follows what the image claims.
 */
class HostileImagesTest {
    /** A second each on an idle machine; this is the bound on a busy one, far below what the claims would take. */
    private static final long LIMIT_MILLIS = 10_000;

    private static final long COPIED = 1L << 63;

    @TempDir
    Path folder;

    @Test
    void everyHostileImageIsReportedOrRefused() throws IOException {
        List<Path> images = new ArrayList<>();
        int number = 0;
        for (HostileImage hostile : HostileImages.all()) {
            Path image = hostile.writeTo(folder);
            images.add(Files.move(image, folder.resolve(number++ + ".qcow2")));
        }
        requireBounded(images);
    }

    @Test
    void nothingIsAmplified() throws IOException {
        requireBounded(List.of(
                oneTableForAllL1Entries(),
                misalignedTables(),
                snapshotsOverEachOther(),
                referencesAllOverASparseFile(),
                moreClustersThanCount()));
    }

    private static void requireBounded(List<Path> images) throws IOException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx64m",
                "-XX:+UseSerialGC",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                CheckEach.class.getName()));
        images.forEach(image -> command.add(image.toString()));
        List<byte[]> before = new ArrayList<>();
        for (Path image : images) {
            before.add(prefix(image));
        }
        List<String> lines = Processes.run(command).orFail().out().lines().toList();
        assertThat(lines).hasSameSizeAs(images);
        for (int i = 0; i < lines.size(); i++) {
            String[] parts = lines.get(i).split("\t", -1);
            assertThat(parts[2]).as(lines.get(i)).doesNotStartWith("failed");
            assertThat(Long.parseLong(parts[1])).as(lines.get(i)).isLessThan(LIMIT_MILLIS);
            assertThat(prefix(images.get(i))).isEqualTo(before.get(i));
        }
    }

    private static byte[] prefix(Path image) throws IOException {
        try (var in = Files.newInputStream(image)) {
            return in.readNBytes(1 << 20);
        }
    }

    /** Four million L1 entries refer to one L2 table of 65536 entries: 2^38 references, if each were looked at. */
    private Path oneTableForAllL1Entries() throws IOException {
        Path image = folder.resolve("one-table.qcow2");
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            int bits = 19;
            header(file, bits, 4 << 20, 1L << bits);
            file.setLength(66L << bits);
            long table = 65L << bits;
            words(file, 1L << bits, 4 << 20, table | COPIED, 0);
            words(file, table, 1 << (bits - 3), table | COPIED, 0);
        }
        return image;
    }

    /** Every L1 entry refers to an L2 table of 2 MiB at another sector: 128 GiB to read. */
    private Path misalignedTables() throws IOException {
        Path image = folder.resolve("misaligned.qcow2");
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            int bits = 21;
            header(file, bits, 65536, 1L << bits);
            file.setLength(32L << 20);
            words(file, 1L << bits, 65536, 512, 512);
        }
        return image;
    }

    /** 65536 snapshots, all with an L1 table of 32 MiB over the same place. */
    private Path snapshotsOverEachOther() throws IOException {
        Path image = folder.resolve("snapshots.qcow2");
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            int bits = 16;
            header(file, bits, 1, 1L << bits);
            int count = 65536;
            file.seek(60);
            file.writeInt(count);
            file.writeLong(2L << bits);
            ByteBuffer entries = ByteBuffer.allocate(count * 56);
            for (int i = 0; i < count; i++) {
                entries.putLong((100L + i % 16) << bits).putInt(4 << 20).putInt(0);
                entries.position(entries.position() + 20).putInt(16);
                entries.position(entries.position() + 16);
            }
            file.seek(2L << bits);
            file.write(entries.array());
            file.setLength((120L << bits) + (32 << 20));
            words(file, 100L << bits, 1 << 20, 3L << bits, 0);
        }
        return image;
    }

    /** L2 entries that each refer to another region of a file of 4 TiB without data. */
    private Path referencesAllOverASparseFile() throws IOException {
        Path image = folder.resolve("sparse.qcow2");
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            int bits = 16;
            header(file, bits, 1, 1L << bits);
            file.setLength(4L << 40);
            words(file, 1L << bits, 1, 2L << bits | COPIED, 0);
            words(file, 2L << bits, 1 << (bits - 3), 1L << 30 | COPIED, 1L << 29);
        }
        return image;
    }

    /** A file of 2^31 clusters. */
    private Path moreClustersThanCount() throws IOException {
        Path image = folder.resolve("clusters.qcow2");
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            header(file, 9, 1, 512);
            file.setLength(1L << 40);
        }
        return image;
    }

    private static void header(RandomAccessFile file, int clusterBits, int l1Entries, long l1Offset)
            throws IOException {
        ByteBuffer header = ByteBuffer.allocate(112);
        header.putInt(0x514649fb)
                .putInt(3)
                .putLong(0)
                .putInt(0)
                .putInt(clusterBits)
                .putLong(0);
        header.putInt(0).putInt(l1Entries).putLong(l1Offset);
        header.putLong(0).putInt(0).putInt(0).putLong(0);
        header.putLong(0).putLong(0).putLong(0).putInt(4).putInt(104);
        file.write(header.array());
    }

    /** Writes a run of words; each is the one before it and a step. */
    private static void words(RandomAccessFile file, long offset, int count, long first, long step) throws IOException {
        long[] words = new long[count];
        Arrays.setAll(words, i -> first + i * step);
        ByteBuffer bytes = ByteBuffer.allocate(count * Long.BYTES);
        bytes.asLongBuffer().put(words);
        file.seek(offset);
        file.write(bytes.array());
    }
}
