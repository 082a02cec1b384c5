package dev.cowherd.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.testkit.Peers;
import dev.cowherd.testkit.Processes;
import dev.cowherd.testkit.QemuImg;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A served image with a bitmap, as QEMU finds it after the server has stopped or was killed. */
class ServedBitmapsTest {
    private static final QemuImg QEMU = QemuImg.v10();

    @TempDir
    private Path folder;

    private Path image = Path.of("");

    @BeforeEach
    void makeImage() {
        image = folder.resolve("disk.qcow2");
        QEMU.create(image, "8M");
        QEMU.io(image, List.of("write -P 1 0 1M"));
        QEMU.run("bitmap", "--add", image.toString(), "backup").orFail();
    }

    private void serve(String signal) throws IOException, InterruptedException {
        Process server = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "--enable-native-access=ALL-UNNAMED",
                        "-cp",
                        System.getProperty("java.class.path"),
                        "dev.cowherd.cli.Main",
                        "serve",
                        "nbd",
                        "--bind",
                        "127.0.0.1:0",
                        image.toString())
                .redirectError(folder.resolve("server.err").toFile())
                .start();
        try (BufferedReader out = server.inputReader(StandardCharsets.UTF_8)) {
            assertThat(out.readLine()).startsWith("Serving ");
            String uri = out.readLine().strip();
            Processes.run(
                            Peers.qemu10("qemu-io").toString(),
                            "-f",
                            "raw",
                            "-c",
                            "write -P 9 3M 64k",
                            "-c",
                            "flush",
                            uri)
                    .orFail();
            Processes.run(Peers.system("kill").toString(), signal, Long.toString(server.pid()))
                    .orFail();
            assertThat(server.waitFor(30, TimeUnit.SECONDS)).isTrue();
        } finally {
            server.destroyForcibly();
        }
    }

    private String info() {
        return QEMU.run("info", image.toString()).orFail().out();
    }

    @Test
    void afterCtrlCTheBitmapIsUpToDate() throws Exception {
        serve("-INT");
        assertThat(info()).contains("name: backup").contains("auto").doesNotContain("in-use");
        QEMU.run("check", image.toString()).orFail();
    }

    @Test
    void afterAKillTheBitmapSaysThatItIsNotAndNothingElseIsWrong() throws Exception {
        serve("-KILL");
        assertThat(info()).contains("name: backup").contains("in-use").contains("auto");
        assertThat(QEMU.run("check", image.toString()).exit()).isIn(0, 3);
        assertThat(QEMU.bytesOf(image)[3 << 20]).isEqualTo((byte) 9);
        // It is still of use to the next writer, but for that bitmap; QEMU removes and makes it anew.
        serve("-INT");
        assertThat(info()).contains("in-use");
        QEMU.run("bitmap", "--remove", image.toString(), "backup").orFail();
        QEMU.run("bitmap", "--add", image.toString(), "backup").orFail();
        serve("-INT");
        assertThat(info()).doesNotContain("in-use");
        QEMU.run("check", image.toString()).orFail();
    }
}
