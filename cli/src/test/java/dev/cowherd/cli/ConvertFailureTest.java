package dev.cowherd.cli;

import static dev.cowherd.cli.CommandRun.cowherd;
import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.testkit.Peers;
import dev.cowherd.testkit.Processes;
import dev.cowherd.testkit.QemuImg;
import dev.cowherd.testkit.Ran;
import dev.cowherd.testkit.RunningPeer;
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

/** Proves that a convert that cannot be done says so in one line, exits with 1, and leaves nothing that looks like an image. */
final class ConvertFailureTest {
    private final QemuImg qemu = QemuImg.v10();

    @TempDir
    Path folder;

    private Path image = Path.of("");

    @BeforeEach
    void makeAnImage() {
        image = folder.resolve("disk.qcow2");
        qemu.create(image, "8M");
        qemu.io(image, List.of("write -P 1 0 4M"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "disk.qcow2",
                "missing target",
                "-c disk.qcow2 target",
                "-O foo disk.qcow2 target",
                "-S 1 disk.qcow2 target",
                "-S 3000 disk.qcow2 target",
                "-S 17M disk.qcow2 target",
                "-S foo disk.qcow2 target",
                "-m 0 disk.qcow2 target",
                "-m 17 disk.qcow2 target",
                "-m foo disk.qcow2 target",
                "-r foo disk.qcow2 target",
                "-t foo disk.qcow2 target",
                "-T foo disk.qcow2 target",
                "-l foo disk.qcow2 target",
                "-l snapshot.id=1 disk.qcow2 target",
                "-l foo disk.qcow2 disk.qcow2 target",
                "-n disk.qcow2 missing",
                "-n disk.qcow2 small",
                "--target-is-zero disk.qcow2 target",
                "-B small disk.qcow2 target",
                "-o foo=3 disk.qcow2 target",
                "-n -o foo=3 disk.qcow2 small",
                "--bitmaps disk.qcow2 target",
                "-Z disk.qcow2 target",
                "disk.qcow2 disk.qcow2",
                "disk.qcow2 nowhere/target",
                "disk.qcow2 .",
            })
    void whatQemuRefusesIsRefused(String arguments) throws IOException {
        Files.write(folder.resolve("small"), new byte[512]);
        List<String> command = new ArrayList<>(List.of("convert"));
        command.addAll(arguments.isEmpty() ? List.of() : List.of(arguments.split(" ")));
        Ran ran = cowherd(folder, command.toArray(String[]::new));
        assertThat(ran.exit()).isEqualTo(1);
        assertThat(ran.err()).startsWith("cowherd: ").endsWith("\n").hasLineCount(1);
        assertThat(ran.out()).isEmpty();
        assertThat(folder.resolve("target")).doesNotExist();
        assertThat(folder.resolve("small")).hasSize(512);
        assertThat(qemu.run("check", "-q", image.toString()).exit()).isZero();
    }

    @Test
    void refusalsAreInQemusWords() {
        String none = "cowherd: ";
        assertThat(cowherd(folder, "convert", "-n", "--bitmaps", "disk.qcow2", "disk.qcow2")
                        .err())
                .isEqualTo(none + "Format driver 'raw' does not support bitmaps\n");
        assertThat(cowherd(folder, "convert", "-l", "nosuch", "disk.qcow2", "target")
                        .err())
                .isEqualTo(none + "Failed to load snapshot: Can't find snapshot\n");
        assertThat(cowherd(folder, "convert", "-c", "-O", "qcow2", "disk.qcow2", "target")
                        .err())
                .isEqualTo(none + "convert -c is not implemented\n");
    }

    @Test
    void noFileOfTheSourcesChainIsWrittenInto() throws IOException {
        Path base = folder.resolve("base.raw");
        Files.write(base, new byte[1 << 20]);
        Path overlay = folder.resolve("overlay.qcow2");
        qemu.create(overlay, "1M", "-b", base.toString(), "-F", "raw");
        Path link = Files.createLink(folder.resolve("link"), base);
        for (String share : List.of("-q", "-U")) {
            Ran ran = cowherd(folder, "convert", share, overlay.toString(), link.toString());
            assertThat(ran.exit()).isEqualTo(1);
            assertThat(ran.err()).contains("the target is one of the files");
        }
        assertThat(base).hasSize(1 << 20);
    }

    @Test
    void aTargetThatSomebodyWritesIsLeftAlone() throws IOException {
        Path target = folder.resolve("target");
        Files.write(target, new byte[1 << 20]);
        Path socket = folder.resolve("s");
        List<String> server = List.of(
                Peers.qemu10("qemu-nbd").toString(), "-t", "-f", "raw", "-k", socket.toString(), target.toString());
        try (RunningPeer peer = RunningPeer.start(server).awaitFile(socket)) {
            // The socket is there before the file is locked; a client is answered only after.
            Processes.run(List.of(Peers.system("nbdinfo").toString(), "nbd+unix:///?socket=" + socket))
                    .orFail();
            Ran ran = cowherd(folder, "convert", "disk.qcow2", "target");
            assertThat(ran.exit()).isEqualTo(1);
            assertThat(ran.err()).contains("lock");
            assertThat(peer.process().isAlive()).isTrue();
        }
        assertThat(target).hasSize(1 << 20);
    }

    @Test
    void aHostThatRunsOutOfSpaceEndsTheConversion() throws IOException {
        // A limit on file sizes is a full disk that needs no privileges: 2 MiB, in units of 1 KiB.
        Path target = folder.resolve("target");
        Path existing = folder.resolve("existing");
        Files.write(existing, new byte[16]);
        String limited = "ulimit -f 2048; exec " + String.join(" ", CommandRun.ownProcess("convert")) + " ";
        Ran created = Processes.run("bash", "-c", limited + image + " " + target);
        assertThat(created.exit()).as(created.err()).isEqualTo(1);
        assertThat(created.err()).hasLineCount(1).contains("File too large");
        assertThat(target).doesNotExist();
        Ran replaced = Processes.run("bash", "-c", limited + image + " " + existing);
        assertThat(replaced.exit()).isEqualTo(1);
        assertThat(existing).isEmptyFile();
    }

    @Test
    void ctrlCRemovesTheUnfinishedTarget() throws Exception {
        Path target = folder.resolve("target");
        List<String> command =
                CommandRun.ownProcess("convert", "-r", "1M", "-S", "0", image.toString(), target.toString());
        try (RunningPeer peer = RunningPeer.start(command).awaitFile(target)) {
            Processes.run("kill", "-INT", Long.toString(peer.process().pid())).orFail();
            assertThat(peer.awaitEnd().exit()).isEqualTo(130);
        }
        assertThat(target).doesNotExist();
    }
}
