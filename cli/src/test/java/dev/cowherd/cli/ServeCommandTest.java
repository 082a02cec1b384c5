package dev.cowherd.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.testkit.Peers;
import dev.cowherd.testkit.Processes;
import dev.cowherd.testkit.QemuImg;
import dev.cowherd.testkit.Ran;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code serve nbd} as a user has it: a process that says how to connect, serves, and stops cleanly on a signal. */
class ServeCommandTest {
    @TempDir
    private Path folder;

    private Path image = Path.of("");

    @BeforeEach
    void makeImage() {
        image = folder.resolve("disk.qcow2");
        QemuImg qemu = QemuImg.v10();
        qemu.create(image, "8M");
        qemu.io(image, List.of("write -P 90 1M 300k"));
        qemu.run("snapshot", "-c", "before", image.toString()).orFail();
        qemu.io(image, List.of("write -P 91 1M 100k"));
    }

    @Test
    void itSaysHowToConnectServesAndStopsCleanlyOnCtrlC() throws Exception {
        Process server = start("--bind", "127.0.0.1:0", image.toString());
        try {
            BufferedReader out = server.inputReader(StandardCharsets.UTF_8);
            assertThat(out.readLine()).isEqualTo("Serving " + image + " (8 MiB, writable) at");
            String uri = out.readLine().strip();
            assertThat(uri).startsWith("nbd://127.0.0.1:").endsWith("/");
            List<String> rest = new ArrayList<>();
            while (rest.isEmpty() || !rest.getLast().equals("Ctrl-C stops.")) {
                rest.add(out.readLine());
            }
            assertThat(rest).contains("  nbdinfo '" + uri + "'");
            Path copy = folder.resolve("copy.raw");
            Processes.run(Peers.system("nbdcopy").toString(), uri, copy.toString())
                    .orFail();
            assertThat(Files.readAllBytes(copy)).isEqualTo(QemuImg.v10().bytesOf(image, "-U"));
            Processes.run(Peers.qemu10("qemu-io").toString(), "-f", "raw", "-c", "write -P 92 2M 100k", uri)
                    .orFail();
            signal("INT", server);
            assertThat(out.readLine()).isEqualTo("stopped");
            assertThat(server.waitFor(30, TimeUnit.SECONDS)).isTrue();
            assertThat(server.exitValue()).isZero();
            assertThat(server.errorReader().readLine()).isNull();
            QemuImg.v10().run("check", image.toString()).orFail();
            QemuImg.v10().io(image, List.of("read -P 92 2M 100k", "read -P 91 1M 100k"));
        } finally {
            server.destroyForcibly();
        }
    }

    @Test
    void readOnlyServersShareTheImageAndAWriterExcludesThem() throws Exception {
        Process first = start("--bind", "127.0.0.1:0", "-r", image.toString());
        Process second = start("--bind", "127.0.0.1:0", "--read-only", image.toString());
        try {
            for (Process server : List.of(first, second)) {
                BufferedReader out = server.inputReader(StandardCharsets.UTF_8);
                assertThat(out.readLine()).isEqualTo("Serving " + image + " (8 MiB, read-only) at");
                assertThat(Processes.run(
                                        Peers.system("nbdinfo").toString(),
                                        out.readLine().strip())
                                .out())
                        .contains("is_read_only: true");
            }
            assertThat(refused("serve", "nbd", "--bind", "127.0.0.1:0", image.toString()))
                    .contains("lock");
        } finally {
            first.destroyForcibly();
            second.destroyForcibly();
        }
    }

    @Test
    void discardGivesSpaceBackOnlyWhereAsked() throws Exception {
        for (boolean unmap : new boolean[] {false, true}) {
            QemuImg.v10().io(image, List.of("write -P 93 4M 2M"));
            Process server = unmap
                    ? start("-b", "127.0.0.1:0", "--discard=unmap", "--detect-zeroes=unmap", image.toString())
                    : start("-b", "127.0.0.1:0", "-t", "-e", "4", "--cache=writethrough", image.toString());
            try {
                BufferedReader out = server.inputReader(StandardCharsets.UTF_8);
                assertThat(out.readLine()).startsWith("Serving");
                String uri = out.readLine().strip();
                String qemuIo = Peers.qemu10("qemu-io").toString();
                List<String> command = List.of(
                        qemuIo, "-f", "raw", "-d", "unmap", "-c", "discard 4M 1M", "-c", "write -P 0 5M 1M", uri);
                Processes.run(command).orFail();
                signal("TERM", server);
                assertThat(server.waitFor(30, TimeUnit.SECONDS)).isTrue();
                assertThat(server.exitValue()).isZero();
            } finally {
                server.destroyForcibly();
            }
            String map = QemuImg.v10()
                    .run("map", "--output=json", "-s", "4M", "-l", "2M", image.toString())
                    .orFail()
                    .out();
            assertThat(map.contains("\"data\": true")).as(map).isEqualTo(!unmap);
            QemuImg.v10().io(image, List.of("read -P " + (unmap ? 0 : 93) + " 4M 1M", "read -P 0 5M 1M"));
            QemuImg.v10().run("check", image.toString()).orFail();
        }
    }

    @Test
    void aSnapshotIsServedOnASocketFileThatIsGoneAfterTerm() throws Exception {
        Path socket = folder.resolve("nbd.sock");
        Process server = start("--socket", socket.toString(), "-l", "before", "-x", "old", image.toString());
        try {
            BufferedReader out = server.inputReader(StandardCharsets.UTF_8);
            assertThat(out.readLine()).startsWith("Serving");
            String uri = out.readLine().strip();
            assertThat(uri).isEqualTo("nbd+unix:///old?socket=" + socket);
            Path copy = folder.resolve("copy.raw");
            QemuImg.v10()
                    .run("convert", "-f", "raw", "-O", "raw", uri, copy.toString())
                    .orFail();
            assertThat(Files.readAllBytes(copy)).isEqualTo(QemuImg.v10().bytesOf(image, "-l", "before"));
            signal("TERM", server);
            assertThat(server.waitFor(30, TimeUnit.SECONDS)).isTrue();
            assertThat(server.exitValue()).isZero();
            assertThat(socket).doesNotExist();
        } finally {
            server.destroyForcibly();
        }
    }

    @Test
    void whatItCannotDoIsOneClearLine() {
        assertThat(refused("serve")).isEqualTo("cowherd: serve what? Try 'cowherd serve nbd FILE'\n");
        assertThat(refused("serve", "nfs", "x")).contains("cannot serve 'nfs', only nbd");
        assertThat(refused("serve", "nbd")).contains("Expecting one image file name");
        assertThat(refused("serve", "nbd", "--http", "x")).contains("serve --http is not implemented yet");
        assertThat(refused("serve", "nbd", "nothing.qcow2"))
                .contains("Could not open 'nothing.qcow2'")
                .contains("No such file or directory");
        assertThat(refused("serve", "nbd", "--bind", "127.0.0.1:99999", "x")).contains("port from 0 to 65535");
        assertThat(refused("serve", "nbd", "--bind", "::1", "x")).contains("in brackets");
        assertThat(refused("serve", "nbd", "--max-connections", "0", "x")).contains("must be 1 or more");
        assertThat(refused("serve", "nbd", "-x", "x".repeat(4097), "x")).contains("more than 4096");
        assertThat(refused("serve", "nbd", "-k", "s", "-b", "1", "x")).contains("exclude each other");
        assertThat(refused("serve", "nbd", "--discard=maybe", "x")).contains("Invalid discard mode 'maybe'");
        assertThat(refused("serve", "nbd", "--detect-zeroes=maybe", "x")).contains("Invalid detect-zeroes mode");
        assertThat(refused("serve", "nbd", "--detect-zeroes=unmap", "x")).contains("without setting discard");
        assertThat(refused("serve", "nbd", "--engine=fast", "x")).contains("Invalid engine 'fast'");
        assertThat(refused("serve", "nbd", "--max-inflight", "0", "x")).contains("must be 1 or more");
        assertThat(refused("serve", "nbd", "--max-inflight", "5000", "x")).contains("must be 1023 or less");
        assertThat(refused("serve", "nbd", "-p", "99999", "x")).contains("is not a port");
    }

    @Test
    void byTheRingItServesTheSameBytes() throws Exception {
        Process server = start(
                List.of(
                        "--add-exports=java.base/jdk.internal.vm=ALL-UNNAMED",
                        "--add-exports=java.base/sun.nio.ch=ALL-UNNAMED"),
                "-b",
                "127.0.0.1:0",
                "--engine=ring",
                "--max-inflight=5",
                image.toString());
        try {
            BufferedReader out = server.inputReader(StandardCharsets.UTF_8);
            assertThat(out.readLine()).startsWith("Serving");
            String uri = out.readLine().strip();
            Path copy = folder.resolve("copy.raw");
            Processes.run(Peers.system("nbdcopy").toString(), uri, copy.toString())
                    .orFail();
            assertThat(Files.readAllBytes(copy)).isEqualTo(QemuImg.v10().bytesOf(image, "-U"));
            Processes.run(Peers.qemu10("qemu-io").toString(), "-f", "raw", "-c", "write -P 92 2M 3M", uri)
                    .orFail();
            signal("INT", server);
            assertThat(server.waitFor(30, TimeUnit.SECONDS)).isTrue();
            assertThat(server.exitValue()).isZero();
            assertThat(server.errorReader().readLine()).isNull();
            QemuImg.v10().run("check", image.toString()).orFail();
            QemuImg.v10().io(image, List.of("read -P 92 2M 3M", "read -P 91 1M 100k"));
        } finally {
            server.destroyForcibly();
        }
    }

    @Test
    void whereTheRingCannotBeHadItIsRefusedOrLeftAsideWithOneLine() throws Exception {
        Process refused = start("-b", "127.0.0.1:0", "--engine=ring", image.toString());
        assertThat(refused.waitFor(30, TimeUnit.SECONDS)).isTrue();
        assertThat(refused.exitValue()).isEqualTo(1);
        assertThat(refused.errorReader().lines())
                .containsExactly("cowherd: the ring engine cannot be had: the JVM was started without"
                        + " --add-exports java.base/sun.nio.ch=ALL-UNNAMED");
        Process server = start("-b", "127.0.0.1:0", "--engine=auto", "-T", "none", image.toString());
        try {
            BufferedReader out = server.inputReader(StandardCharsets.UTF_8);
            assertThat(out.readLine()).startsWith("Serving");
            String uri = out.readLine().strip();
            for (int i = 0; i < 2; i++) {
                Processes.run(Peers.system("nbdinfo").toString(), uri).orFail();
            }
            signal("TERM", server);
            assertThat(server.errorReader().lines())
                    .hasSize(1)
                    .first()
                    .asString()
                    .contains("using system calls");
        } finally {
            server.destroyForcibly();
        }
    }

    private String refused(String... args) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        int exit = Main.run(
                List.of(args),
                new PrintStream(out, true, StandardCharsets.UTF_8),
                new PrintStream(err, true, StandardCharsets.UTF_8),
                folder);
        assertThat(exit).isEqualTo(1);
        assertThat(out.toString(StandardCharsets.UTF_8)).isEmpty();
        return err.toString(StandardCharsets.UTF_8);
    }

    private static Process start(String... args) throws IOException {
        return start(List.of(), args);
    }

    private static Process start(List<String> jvmFlags, String... args) throws IOException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED"));
        command.addAll(jvmFlags);
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), "dev.cowherd.cli.Main", "serve", "nbd"));
        command.addAll(List.of(args));
        return new ProcessBuilder(command).start();
    }

    private static void signal(String name, Process process) {
        Ran ran = Processes.run(Peers.system("kill").toString(), "-" + name, Long.toString(process.pid()));
        ran.orFail();
    }
}
