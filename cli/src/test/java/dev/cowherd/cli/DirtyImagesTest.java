package dev.cowherd.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.testkit.Peers;
import dev.cowherd.testkit.Processes;
import dev.cowherd.testkit.QemuImg;
import dev.cowherd.testkit.Ran;
import dev.cowherd.testkit.RunningPeer;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * An image with lazy refcounts whose real QEMU was killed while it wrote: every command that only reads leaves it as it is, every
 * command that writes repairs it first.
 */
class DirtyImagesTest {
    private static final QemuImg QEMU = QemuImg.v10();

    @TempDir
    private Path folder;

    private Path image = Path.of("");

    /** A storage daemon serves the image to a writer, and is killed. */
    private byte[] killDaemon() throws IOException {
        image = folder.resolve("disk.qcow2");
        QEMU.create(image, "16M", "-o", "lazy_refcounts=on");
        QEMU.io(image, List.of("write -P 5 64k 300k", "write -P 6 10M 100k"));
        QEMU.run("snapshot", "-c", "before", image.toString()).orFail();
        Path socket = folder.resolve("daemon");
        try (RunningPeer daemon = RunningPeer.start(List.of(
                Peers.qemu10("qemu-storage-daemon").toString(),
                "--blockdev",
                "driver=file,node-name=file,filename=" + image,
                "--blockdev",
                "driver=qcow2,node-name=disk,file=file",
                "--nbd-server",
                "addr.type=unix,addr.path=" + socket,
                "--export",
                "type=nbd,id=export,node-name=disk,name=disk,writable=on"))) {
            daemon.awaitFile(socket);
            Processes.run(
                            Peers.qemu10("qemu-io").toString(),
                            "-f",
                            "raw",
                            "-c",
                            "write -P 1 0 1M",
                            "-c",
                            "write -P 2 12M 700k",
                            "-c",
                            "flush",
                            "nbd+unix:///disk?socket=" + socket)
                    .orFail();
            daemon.process().destroyForcibly();
            daemon.awaitEnd();
        }
        assertThat(isDirty()).isTrue();
        return Files.readAllBytes(image);
    }

    private boolean isDirty() throws IOException {
        return (ByteBuffer.wrap(Files.readAllBytes(image)).getLong(72) & 1) != 0;
    }

    @Test
    void commandsThatReadLeaveItAsItIs() throws IOException {
        byte[] dirty = killDaemon();
        byte[] content = QEMU.bytesOf(image);
        CommandLine cowherd = new CommandLine(folder);
        Path copy = folder.resolve("copy.raw");
        for (List<String> command : List.of(
                List.of("info", "disk.qcow2"),
                List.of("map", "disk.qcow2"),
                List.of("snapshot", "-l", "disk.qcow2"),
                List.of("bench", "-c", "10", "disk.qcow2"),
                List.of("convert", "-O", "raw", "disk.qcow2", copy.toString()),
                List.of("compare", "disk.qcow2", "copy.raw"))) {
            Ran ran = cowherd.run(command);
            assertThat(ran.exit()).as("%s: %s", command, ran.err()).isZero();
        }
        assertThat(Files.readAllBytes(copy)).isEqualTo(content);
        assertThat(Files.readAllBytes(image)).isEqualTo(dirty);
    }

    static Stream<List<String>> commandsThatWrite() {
        return Stream.of(
                List.of("resize", "disk.qcow2", "20M"),
                List.of("snapshot", "-c", "second", "disk.qcow2"),
                List.of("snapshot", "-a", "before", "disk.qcow2"),
                List.of("snapshot", "-d", "before", "disk.qcow2"),
                List.of("bench", "-w", "-c", "50", "-f", "qcow2", "disk.qcow2"),
                List.of("convert", "-n", "-f", "raw", "-O", "qcow2", "source.raw", "disk.qcow2"));
    }

    @ParameterizedTest
    @MethodSource("commandsThatWrite")
    void commandsThatWriteRepairItFirst(List<String> command) throws IOException {
        killDaemon();
        byte[] content = QEMU.bytesOf(image);
        Files.write(folder.resolve("source.raw"), new byte[16 << 20]);
        Ran ran = new CommandLine(folder).run(command);
        assertThat(ran.exit()).as(ran.err()).isZero();
        assertThat(ran.err()).contains("refcount");
        assertThat(isDirty()).isFalse();
        QEMU.run("check", "-f", "qcow2", image.toString()).orFail();
        if (command.getFirst().equals("snapshot") && !command.contains("-a")) {
            assertThat(QEMU.bytesOf(image)).isEqualTo(content);
        }
    }

    @Test
    void aServerServesItForWritingAndQemuFindsItInOrder() throws Exception {
        killDaemon();
        byte[] content = QEMU.bytesOf(image);
        Process server = serve();
        try (BufferedReader out = server.inputReader(StandardCharsets.UTF_8)) {
            assertThat(out.readLine()).startsWith("Serving ").contains("writable");
            String uri = out.readLine().strip();
            Processes.run(
                            Peers.qemu10("qemu-io").toString(),
                            "-f",
                            "raw",
                            "-c",
                            "write -P 9 2M 1M",
                            "-c",
                            "write -P 8 0 64k",
                            "-c",
                            "discard 12M 128k",
                            uri)
                    .orFail();
            Processes.run(Peers.system("kill").toString(), "-INT", Long.toString(server.pid()))
                    .orFail();
            assertThat(server.waitFor(30, TimeUnit.SECONDS)).isTrue();
        } finally {
            server.destroyForcibly();
        }
        Arrays.fill(content, 2 << 20, 3 << 20, (byte) 9);
        Arrays.fill(content, 0, 64 << 10, (byte) 8);
        Arrays.fill(content, 12 << 20, (12 << 20) + (128 << 10), (byte) 0);
        assertThat(isDirty()).isFalse();
        assertThat(QEMU.bytesOf(image)).isEqualTo(content);
        QEMU.run("check", "-f", "qcow2", image.toString()).orFail();
    }

    private Process serve() throws IOException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                "dev.cowherd.cli.Main",
                "serve",
                "nbd",
                "--discard=unmap",
                "--bind",
                "127.0.0.1:0",
                image.toString()));
        return new ProcessBuilder(command)
                .redirectError(folder.resolve("server.err").toFile())
                .start();
    }
}
