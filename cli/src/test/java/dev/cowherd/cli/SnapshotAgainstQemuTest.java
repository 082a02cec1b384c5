package dev.cowherd.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.testkit.QemuImg;
import dev.cowherd.testkit.Ran;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code snapshot} does what QEMU 10's does; what one of the two made, the other lists, applies and deletes. */
final class SnapshotAgainstQemuTest {
    private static final QemuImg QEMU = QemuImg.v10();

    @TempDir
    Path folder;

    private Path image = Path.of("");

    @BeforeEach
    void makeImages() throws IOException {
        image = folder.resolve("disk.qcow2");
        QEMU.create(image, "2M", "-o", "cluster_size=4k");
        QEMU.io(image, List.of("write -P 1 0 1M"));
        Files.write(folder.resolve("disk.raw"), new byte[1 << 20]);
    }

    private Ran ours(String... arguments) {
        List<String> all = new ArrayList<>(List.of("snapshot"));
        all.addAll(List.of(arguments));
        return new CommandLine(folder).run(all);
    }

    @ParameterizedTest
    @ValueSource(strings = {"64k", "512", "2M"})
    void theTwoTakeTurns(String cluster) {
        QEMU.create(image, "8M", "-o", "cluster_size=" + cluster);
        String name = image.toString();
        for (int i = 0; i < 3; i++) {
            QEMU.io(image, List.of("write -P " + (10 + i) + " " + i + "M 3M"));
            assertThat(ours("-c", "ours" + i, name).orFail().out()).isEmpty();
            QEMU.io(image, List.of("write -P " + (20 + i) + " " + i + "M 3M"));
            QEMU.run("snapshot", "-c", "theirs" + i, name).orFail();
            requireSameList();
            QEMU.run("check", name).orFail();
        }
        byte[] first = QEMU.bytesOf(image, "-l", "ours0");
        byte[] second = QEMU.bytesOf(image, "-l", "theirs1");
        assertThat(first[0]).isEqualTo((byte) 10);
        ours("-a", "theirs1", name).orFail();
        assertThat(QEMU.bytesOf(image)).isEqualTo(second);
        QEMU.run("check", name).orFail();
        QEMU.io(image, List.of("write -P 99 0 8M"));
        QEMU.run("snapshot", "-a", "ours0", name).orFail();
        assertThat(QEMU.bytesOf(image)).isEqualTo(first);
        for (int i = 0; i < 3; i++) {
            ours("-d", "theirs" + i, name).orFail();
            QEMU.run("check", name).orFail();
            QEMU.run("snapshot", "-d", "ours" + i, name).orFail();
            requireSameList();
        }
        QEMU.run("check", name).orFail();
        assertThat(QEMU.bytesOf(image)).isEqualTo(first);
        assertThat(ours("-l", name).orFail().out()).isEmpty();
    }

    private void requireSameList() {
        for (List<String> flags : List.of(List.of("-l"), List.of("-U", "-l"), List.<String>of())) {
            List<String> arguments = new ArrayList<>(List.of("snapshot"));
            arguments.addAll(flags);
            arguments.add(image.toString());
            assertThat(new CommandLine(folder).run(arguments).orFail().out())
                    .isEqualTo(QEMU.run(arguments).orFail().out());
        }
        assertThat(new CommandLine(folder)
                        .run("--compat-output=7", "snapshot", "-l", image.toString())
                        .out())
                .isEqualTo(QemuImg.v7().run("snapshot", "-l", image.toString()).out());
    }

    @Test
    void idsAreNumberedOnAndNamesMayRepeat() {
        for (String name : List.of("a", "a", "1", "", "\u00e4\u00f6")) {
            ours("-q", "-c", name, image.toString()).orFail();
        }
        requireSameList();
        // By name first of all: this is the third.
        ours("-d", "1", image.toString()).orFail();
        ours("-d", "a", image.toString()).orFail();
        assertThat(QEMU.run("snapshot", "-l", image.toString()).out())
                .contains("\n2       a ")
                .contains("\n4 ")
                .contains("\n5 ")
                .hasLineCount(5);
        ours("--create=b", image.toString()).orFail();
        assertThat(ours(image.toString()).out()).contains("\n6       b ").contains("\u00e4\u00f6");
        QEMU.run("check", image.toString()).orFail();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "-l disk.qcow2 extra",
                "-l -c q disk.qcow2",
                "-c q -d q disk.qcow2",
                "-a none disk.qcow2",
                "-d none disk.qcow2",
                "-d 1 disk.qcow2",
                "-U -c foo disk.qcow2",
                "-f foo -c x disk.qcow2",
                "-f foo -l disk.qcow2",
                "-f raw -c x disk.raw",
                "-f raw -a x disk.raw",
                "-f raw -d x disk.raw",
                "-f raw -l disk.raw",
                "-l disk.raw",
            })
    void saysWhatQemuSays(String line) {
        ours("-c", "only", image.toString()).orFail();
        List<String> arguments = new ArrayList<>(List.of("snapshot"));
        for (String argument : line.isEmpty() ? List.<String>of() : List.of(line.split(" ", -1))) {
            arguments.add(argument.startsWith("disk.") ? folder + "/" + argument : argument);
        }
        Ran expected = QEMU.run(arguments);
        Ran actual = new CommandLine(folder).run(arguments);
        assertThat(actual.out()).isEqualTo(expected.out());
        String first = expected.err().lines().findFirst().map(one -> one + "\n").orElse("");
        assertThat(actual.err()).isEqualTo(first.replace("qemu-img: ", "cowherd: "));
        assertThat(actual.exit()).isEqualTo(expected.exit());
    }

    @Test
    void imagesWithDataFilesHaveNone() {
        Path backed = folder.resolve("data.qcow2");
        QEMU.create(backed, "1M", "-o", "data_file=" + folder.resolve("data"));
        assertThat(ours("-c", "x", backed.toString()).err())
                .isEqualTo("cowherd: Could not create snapshot 'x': Operation not supported\n");
    }
}
