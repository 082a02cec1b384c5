package dev.cowherd.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.testkit.ImageRecipes;
import dev.cowherd.testkit.QemuImages;
import dev.cowherd.testkit.QemuImg;
import dev.cowherd.testkit.Ran;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Proves that {@code map} prints what qemu-img prints, byte for byte, in the forms of QEMU 10 and 7.2. */
final class MapAgainstQemuTest {
    @TempDir
    Path folder;

    private final CommandLine commandLine = new CommandLine(Path.of(""));

    private void assertSame(Path image, String... flags) {
        List<String> arguments = new ArrayList<>(List.of("map"));
        arguments.addAll(List.of(flags));
        arguments.add(image.toString());
        Ran reference = QemuImg.v10().run(arguments);
        Ran ours = commandLine.run(arguments);
        assertSame(reference, ours, arguments);
        assertThat(ours.err()).isEqualTo(reference.err().replace("qemu-img: ", "cowherd: "));
        List<String> compat = new ArrayList<>(List.of("--compat-output=7"));
        compat.addAll(arguments);
        assertSame(QemuImg.v7().run(arguments), commandLine.run(compat), compat);
    }

    private static void assertSame(Ran expected, Ran actual, List<String> arguments) {
        assertThat(actual.out()).as("%s: %s", arguments, actual.err()).isEqualTo(expected.out());
        assertThat(actual.exit()).as("exit of %s: %s", arguments, actual.err()).isEqualTo(expected.exit());
    }

    @Test
    void sameForTheWholeMatrixOfImages() {
        QemuImages images = QemuImages.shared();
        ImageRecipes.pairwise(1).parallelStream().map(images::make).forEach(made -> {
            assertSame(made.top());
            assertSame(made.top(), "--output=json");
            assertSame(made.top(), "--output=json", "-s", "100000", "-l", "1000000");
        });
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"-s 0 -l 0", "-s 1", "-s 65536 -l 65536", "-s 70000 -l 1", "-s 3M", "-s 3145727", "-s 4M -l 1M"})
    void sameForAnyWindow(String window) throws IOException {
        Path base = folder.resolve("base.raw");
        try (RandomAccessFile raw = new RandomAccessFile(base.toFile(), "rw")) {
            raw.setLength(1_000_000);
            raw.seek(70_000);
            raw.write(new byte[] {1, 2, 3});
        }
        Path image = folder.resolve("image.qcow2");
        QemuImg.v10().create(image, "3M", "-b", base.toString(), "-F", "raw");
        QemuImg.v10().io(image, List.of("write -P 1 128k 64k", "write -z 256k 64k", "write -P 2 2M 300k"));
        List<String> flags = new ArrayList<>(List.of(window.split(" ")));
        assertSame(image, flags.toArray(new String[0]));
        flags.add("--output=json");
        assertSame(image, flags.toArray(new String[0]));
        assertSame(base, flags.toArray(new String[0]));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "x", "-1", "0x", "1.5"})
    void refusesAWindowThatIsNone(String start) {
        Path image = folder.resolve("image.qcow2");
        QemuImg.v10().create(image, "3M");
        assertSame(image, "-s", start);
    }

    @Test
    void sameForEmptyDisks() {
        Path image = folder.resolve("image.qcow2");
        QemuImg.v10().create(image, "0");
        assertSame(image);
        assertSame(image, "--output=json");
    }
}
