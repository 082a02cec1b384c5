package dev.cowherd.cli;

import static dev.cowherd.cli.CommandRun.cowherd;
import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.testkit.ImageRecipe;
import dev.cowherd.testkit.ImageRecipes;
import dev.cowherd.testkit.MadeImage;
import dev.cowherd.testkit.Processes;
import dev.cowherd.testkit.QemuImages;
import dev.cowherd.testkit.QemuImg;
import dev.cowherd.testkit.Ran;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Proves that convert writes, byte for byte and hole for hole, what QEMU's convert writes. */
final class ConvertTest {
    /** What the file system may round differently from one writer to another. */
    private static final long ALLOCATION_SLACK = 128 << 10;

    private final QemuImg qemu = QemuImg.v10();

    @TempDir
    Path folder;

    private Path image = Path.of("");

    static List<ImageRecipe> matrix() {
        return ImageRecipes.pairwise(1);
    }

    @BeforeEach
    void makeAnImage() {
        image = folder.resolve("disk.qcow2");
        qemu.create(image, "8M");
        qemu.io(image, List.of("write -P 1 0 100k", "write -P 2 1M 64k", "write -P 0 2M 256k", "write -P 3 5M 512"));
    }

    @ParameterizedTest
    @MethodSource("matrix")
    void everyKindOfImageComesOutAsFromQemu(ImageRecipe recipe) throws IOException {
        MadeImage made = QemuImages.shared().make(recipe);
        String name = made.top().toString();
        requireSameAsQemu("-f", "qcow2", name);
        for (String snapshot : made.snapshots()) {
            requireSameAsQemu("-f", "qcow2", "-l", snapshot, name);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "-S0",
                "-S512",
                "-S1k",
                "-S4k",
                "-S12k",
                "-S64k",
                "-S1M",
                "-S16M",
                "-m1",
                "-m16",
                "-W",
                "-tnone",
                "-tunsafe",
                "-Tnone"
            })
    void runsOfZerosBecomeHolesAsTheUserAsks(String flag) throws IOException {
        requireSameAsQemu(flag, image.toString());
    }

    @Test
    void sizesThatAreNotWholeSectorsArePaddedWithZeros() throws IOException {
        Path raw = folder.resolve("odd.raw");
        byte[] bytes = new byte[70_001];
        new Random(7).nextBytes(bytes);
        Files.write(raw, bytes);
        requireSameAsQemu("-f", "raw", raw.toString());
        assertThat(folder.resolve("ours")).hasSize(70_144);
    }

    @Test
    void severalSourcesAreJoined() throws IOException {
        Path raw = folder.resolve("odd.raw");
        Files.write(raw, new byte[] {1, 2, 3});
        requireSameAsQemu("-f", "raw", raw.toString(), image.toString(), raw.toString());
    }

    @Test
    void snapshotsAreFoundByIdAndByName() throws IOException {
        for (String name : List.of("first", "1", "third")) {
            qemu.run("snapshot", "-c", name, image.toString()).orFail();
            qemu.io(image, List.of("write -P " + (60 + name.length()) + " 0 1M"));
        }
        for (String argument :
                List.of("first", "1", "2", "snapshot.id=1", "snapshot.name=1", "snapshot.id=3,snapshot.name=third")) {
            requireSameAsQemu("-l", argument, image.toString());
        }
    }

    @Test
    void aTargetThatIsThereIsReplaced() throws IOException {
        Path target = folder.resolve("target");
        Files.write(target, ones(20 << 20));
        assertThat(cowherd(folder, "convert", image.toString(), "target").exit())
                .isZero();
        assertThat(Files.readAllBytes(target)).isEqualTo(qemu.bytesOf(image));
        assertThat(allocatedBytes(target)).isLessThan(2 << 20);
    }

    @Test
    void noCreateWritesIntoTheTargetAndLeavesWhatIsBehind() throws IOException {
        byte[] expected = ones(9 << 20);
        System.arraycopy(qemu.bytesOf(image), 0, expected, 0, 8 << 20);
        Path target = folder.resolve("target");
        for (String sparse : List.of("-S4k", "-S0")) {
            Files.write(target, ones(9 << 20));
            assertThat(cowherd(folder, "convert", "-n", sparse, image.toString(), "target")
                            .exit())
                    .isZero();
            assertThat(Files.mismatch(target, Files.write(folder.resolve("expected"), expected)))
                    .isEqualTo(-1);
        }
    }

    @Test
    void targetIsZeroLeavesZerosAlone() throws IOException {
        Path target = folder.resolve("target");
        Files.write(target, ones(8 << 20));
        Path qemus = folder.resolve("qemus");
        Files.write(qemus, ones(8 << 20));
        assertThat(cowherd(folder, "convert", "-n", "--target-is-zero", image.toString(), "target")
                        .exit())
                .isZero();
        qemu.run("convert", "-n", "--target-is-zero", "-O", "raw", image.toString(), qemus.toString())
                .orFail();
        assertThat(Files.mismatch(target, qemus)).isEqualTo(-1);
    }

    @Test
    void progressLooksLikeQemus() {
        Ran ran = cowherd(folder, "convert", "-p", image.toString(), "target");
        assertThat(ran.out())
                .startsWith("    (0.00/100%)\r")
                .endsWith("    (100.00/100%)\r\n")
                .matches("(    \\(\\d+\\.\\d\\d/100%\\)\\r)+\\n");
        assertThat(cowherd(folder, "convert", "-p", "-q", image.toString(), "target")
                        .out())
                .isEmpty();
    }

    @Test
    void aRateIsKept() {
        long start = System.nanoTime();
        Ran ran = cowherd(folder, "convert", "-r", "4M", "-S", "0", image.toString(), "target");
        assertThat(ran.exit()).isZero();
        assertThat(System.nanoTime() - start).isBetween(1_500_000_000L, 60_000_000_000L);
    }

    /** Writes what QEMU and what we make of the same arguments and compares bytes, size and allocation. */
    private void requireSameAsQemu(String... argumentsAndSources) throws IOException {
        Path qemus = folder.resolve("qemus");
        Path ours = folder.resolve("ours");
        Files.deleteIfExists(ours);
        Ran theirs = qemu.run(arguments(argumentsAndSources, qemus)).orFail();
        Ran ran = cowherd(folder, arguments(argumentsAndSources, ours).toArray(String[]::new));
        assertThat(ran.err()).as(ran.command().toString()).doesNotContain("rror");
        assertThat(ran.exit()).as(ran.err()).isZero();
        assertThat(ran.out()).isEqualTo(theirs.out()).isEmpty();
        assertThat(Files.mismatch(ours, qemus)).as("first difference").isEqualTo(-1);
        assertThat(allocatedBytes(ours))
                .as("allocated bytes")
                .isBetween(allocatedBytes(qemus) - ALLOCATION_SLACK, allocatedBytes(qemus) + ALLOCATION_SLACK);
    }

    private static List<String> arguments(String[] argumentsAndSources, Path target) {
        List<String> all = new ArrayList<>(List.of("convert", "-O", "raw"));
        all.addAll(Arrays.asList(argumentsAndSources));
        all.add(target.toString());
        return all;
    }

    private static byte[] ones(int length) {
        byte[] bytes = new byte[length];
        Arrays.fill(bytes, (byte) 1);
        return bytes;
    }

    /** Once written back, so that delayed allocation does not show. */
    private static long allocatedBytes(Path file) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            channel.force(true);
        }
        Ran stat = Processes.run("stat", "-c", "%b", file.toString()).orFail();
        return Long.parseLong(stat.out().strip()) * 512;
    }
}
