package dev.cowherd.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.testkit.Processes;
import dev.cowherd.testkit.QemuImg;
import dev.cowherd.testkit.Ran;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code resize} leaves the disk that QEMU 10 leaves, and says what it says. */
final class ResizeAgainstQemuTest {
    private static final QemuImg QEMU = QemuImg.v10();

    @TempDir
    Path folder;

    /** Runs both on equal copies of an image; {@code @} stands for it. */
    private Ran same(Path image, String line) throws IOException {
        Path copy = folder.resolve("copy");
        Path kept = folder.resolve("kept");
        Files.copy(image, kept, StandardCopyOption.REPLACE_EXISTING);
        List<String> arguments = new ArrayList<>(List.of("resize"));
        for (String argument : List.of(line.split(" ", -1))) {
            arguments.add(argument.replace("@", image.toString()));
        }
        Ran expected = QEMU.run(arguments);
        Files.move(image, copy, StandardCopyOption.REPLACE_EXISTING);
        Files.move(kept, image);
        Ran actual = new CommandLine(folder).run(arguments);
        assertThat(actual.out()).as(actual.err()).isEqualTo(expected.out());
        assertThat(actual.err().replace(" (ENOENT)", "")).isEqualTo(ours(expected.err()));
        assertThat(actual.exit()).isEqualTo(expected.exit());
        return actual;
    }

    private void requireSameDisks(Path image, String format) {
        Path copy = folder.resolve("copy");
        QEMU.run("compare", "-f", format, "-F", format, image.toString(), copy.toString())
                .orFail();
        if (format.equals("qcow2")) {
            QEMU.run("check", image.toString()).orFail();
        }
    }

    private static String ours(String errors) {
        StringBuilder kept = new StringBuilder();
        for (String line : errors.lines().toList()) {
            if (!line.startsWith("Try '")) {
                // QEMU names the file twice where it cannot be opened.
                String one = line.replace("qemu-img: ", "cowherd: ");
                int twice = one.indexOf(": Could not open '", one.indexOf("Could not open '") + 1);
                int end = twice < 0 ? -1 : one.indexOf("': ", twice + 3);
                kept.append(twice < 0 ? one : one.substring(0, twice) + one.substring(end + 1))
                        .append('\n');
            }
        }
        return kept.toString();
    }

    private Path filled(String options) {
        Path image = folder.resolve("disk.qcow2");
        QEMU.create(image, "5M", "-o", options);
        QEMU.io(image, List.of("write -P 1 0 1M", "write -P 2 3M 2M"));
        return image;
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "cluster_size=64k | @ 6M",
                "cluster_size=64k | @ +1M",
                "cluster_size=64k | @ +512",
                "cluster_size=64k | @ 5M",
                "cluster_size=64k | -q @ 1G",
                "cluster_size=64k | --shrink @ 4M",
                "cluster_size=64k | --shrink @ -1M",
                "cluster_size=64k | --shrink @ -1536",
                "cluster_size=512 | @ +200M",
                "cluster_size=512 | --shrink @ 512",
                "cluster_size=2M,refcount_bits=1 | @ 1T",
                "cluster_size=4k,compat=0.10 | @ +1M",
                "cluster_size=4k,compat=0.10 | --shrink @ 3584k",
                "extended_l2=on | @ 10M",
                "extended_l2=on | --shrink @ 4M",
                "cluster_size=64k | -f qcow2 --preallocation=full @ +3M",
                "cluster_size=4k | --preallocation=falloc @ +3M",
            })
    void resizesAsQemuDoes(String options, String line) throws IOException {
        Path image = filled(options);
        assertThat(same(image, line).exit()).isZero();
        requireSameDisks(image, "qcow2");
    }

    @Test
    void whatItGrowsByReadsAsZerosOverALongerBackingFile() throws IOException {
        Path base = folder.resolve("base.raw");
        Files.write(base, ones(4 << 20));
        Path image = folder.resolve("overlay.qcow2");
        QEMU.create(image, "1M", "-b", base.toString(), "-F", "raw");
        same(image, "@ 3M");
        requireSameDisks(image, "qcow2");
        // QEMU gives up here: version 2 has no zero clusters. We write zeros.
        QEMU.create(image, "1M", "-o", "compat=0.10", "-b", base.toString(), "-F", "raw");
        new CommandLine(folder).run("resize", image.toString(), "3M").orFail();
        byte[] expected = new byte[3 << 20];
        Arrays.fill(expected, 0, 1 << 20, (byte) 1);
        assertThat(QEMU.bytesOf(image)).isEqualTo(expected);
        QEMU.run("check", image.toString()).orFail();
    }

    @Test
    void snapshotsKeepTheirSize() throws IOException {
        Path image = filled("cluster_size=64k");
        QEMU.run("snapshot", "-c", "before", image.toString()).orFail();
        same(image, "@ 1G");
        requireSameDisks(image, "qcow2");
        same(image, "--shrink @ 2M");
        requireSameDisks(image, "qcow2");
        QEMU.run("snapshot", "-a", "before", image.toString()).orFail();
        assertThat(QEMU.bytesOf(image)).hasSize(5 << 20);
        QEMU.run("check", image.toString()).orFail();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "-f raw @ 2M",
                "-f raw @ +1000",
                "-f raw --shrink @ 1000",
                "-f raw --preallocation=full @ +1M",
                "-f raw --preallocation=falloc @ +1M",
            })
    void rawFilesToo(String line) throws IOException {
        Path image = folder.resolve("disk.raw");
        Files.write(image, new byte[1 << 20]);
        assertThat(same(image, line).exit()).isZero();
        assertThat(Files.mismatch(image, folder.resolve("copy"))).isEqualTo(-1);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "@",
                "@ -1M",
                "@ 1k",
                "@ abc",
                "@ +abc",
                "@ -- -1M",
                "--shrink @ -10M",
                "--shrink @ 0",
                "@ 9E",
                "@ 64P",
                "@ +1",
                "@ +1M extra",
                "none 1M",
                "-f foo @ 1M",
                "--preallocation=foo @ +1M",
                "--preallocation=full --shrink @ 1M",
            })
    void refusesInTheSameWords(String line) throws IOException {
        Path image = filled("cluster_size=64k");
        Ran ran = line.isEmpty() ? new CommandLine(folder).run("resize") : same(image, line);
        assertThat(ran.exit()).isEqualTo(1);
        assertThat(ran.err()).startsWith("cowherd: ");
        QEMU.run("check", image.toString()).orFail();
    }

    @Test
    void version2WithSnapshotsIsRefused() throws IOException {
        Path image = filled("compat=0.10");
        QEMU.run("snapshot", "-c", "x", image.toString()).orFail();
        assertThat(same(image, "@ +1M").exit()).isEqualTo(1);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "cluster_size=64k | metadata | +3M",
                "cluster_size=64k | falloc | +3M",
                "cluster_size=64k | full | +3M",
                "cluster_size=512 | metadata | +3M",
                "cluster_size=2M | metadata | +3M",
                "cluster_size=64k | metadata | +3585k",
                "extended_l2=on | metadata | +3M",
                "extended_l2=on | falloc | +3585k",
                "compat=0.10,cluster_size=4k | metadata | +3M",
                "data_file=@data | metadata | +3M",
                "data_file=@data | full | +3585k",
                "data_file=@data,data_file_raw=on | metadata | +3M",
                "data_file=@data,data_file_raw=on | falloc | +3585k",
                "refcount_bits=1 | full | +3M",
            })
    void spaceIsTakenForWhatItGrowsBy(String options, String mode, String growth) throws IOException {
        Path data = folder.resolve("data");
        Path image = filled(options.replace("@data", data.toString()));
        // Free clusters with old bytes, which the new part of the disk must not show.
        if (!options.contains("data_file") && !options.contains("refcount_bits=1")) {
            QEMU.run("snapshot", "-c", "old", image.toString()).orFail();
            QEMU.io(image, List.of("write -P 3 0 1M"));
            QEMU.run("snapshot", "-d", "old", image.toString()).orFail();
        }
        // The disk ends within a cluster.
        QEMU.run("resize", image.toString(), "+1536").orFail();
        byte[] before = QEMU.bytesOf(image);
        long had = blocks(image, data);
        new CommandLine(folder)
                .run("resize", "--preallocation=" + mode, image.toString(), growth)
                .orFail();
        QEMU.run("check", image.toString()).orFail();
        int grown = growth.equals("+3M") ? 3 << 20 : 3585 << 10;
        assertThat(QEMU.bytesOf(image)).isEqualTo(Arrays.copyOf(before, before.length + grown));
        // Every byte of it has its place in a file.
        String map = QEMU.run("map", "--output=json", image.toString()).orFail().out();
        assertThat(map.lines().filter(line -> !line.contains("\"offset\"")))
                .as(map)
                .allSatisfy(line -> assertThat(start(line)).isLessThan(before.length));
        if (!mode.equals("metadata")) {
            // QEMU may have taken the rest of the last cluster before.
            assertThat(blocks(image, data) - had).isGreaterThanOrEqualTo(grown - (64 << 10));
        } else if (!options.contains("compat=0.10")) {
            assertThat(blocks(image, data) - had).isLessThan(grown / 2);
        }
        // What a guest writes there needs nothing more of the image.
        long size = Files.size(image);
        QEMU.io(image, List.of("write -P 9 " + before.length + " 3M"));
        assertThat(Files.size(image)).isEqualTo(size);
        QEMU.run("check", image.toString()).orFail();
    }

    @Test
    void entriesAloneTakeTheSpaceOfTablesAlone() throws IOException {
        Path image = folder.resolve("disk.qcow2");
        QEMU.create(image, "1M");
        new CommandLine(folder)
                .run("resize", "--preallocation=metadata", image.toString(), "16G")
                .orFail();
        assertThat(Files.size(image)).isGreaterThan(16L << 30);
        assertThat(blocks(image)).isLessThan(8 << 20);
    }

    @ParameterizedTest
    @ValueSource(strings = {"falloc", "full"})
    void aDataFileThatWasGivenBackIsTakenAgain(String mode) throws IOException {
        Path data = folder.resolve("data");
        Path image = filled("data_file=" + data);
        new CommandLine(folder)
                .run("resize", "--shrink", image.toString(), "1M")
                .orFail();
        assertThat(blocks(data)).isLessThan(2 << 20);
        new CommandLine(folder)
                .run("resize", "--preallocation=" + mode, image.toString(), "5M")
                .orFail();
        assertThat(blocks(data)).isGreaterThanOrEqualTo(5 << 20);
        assertThat(QEMU.bytesOf(image)).isEqualTo(Arrays.copyOf(ones(1 << 20), 5 << 20));
    }

    private static byte[] ones(int length) {
        byte[] ones = new byte[length];
        Arrays.fill(ones, (byte) 1);
        return ones;
    }

    private static long start(String line) {
        int at = line.indexOf("\"start\": ") + 9;
        return Long.parseLong(line.substring(at, line.indexOf(',', at)));
    }

    /** What the files take of the host's space, in bytes, once all is written back. */
    private static long blocks(Path... files) throws IOException {
        long bytes = 0;
        for (Path file : files) {
            if (Files.exists(file)) {
                try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
                    channel.force(true);
                }
                Ran stat = Processes.run("stat", "-c", "%b", file.toString()).orFail();
                bytes += 512L * Long.parseLong(stat.out().strip());
            }
        }
        return bytes;
    }
}
