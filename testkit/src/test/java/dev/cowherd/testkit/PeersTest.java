package dev.cowherd.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The drivers reach the real programs, and say so clearly where they do not. */
final class PeersTest {
    @Test
    void bothVersionsOfQemuAreThere() {
        assertThat(QemuImg.v10().run("--version").orFail().out()).startsWith("qemu-img version 10.");
        assertThat(QemuImg.v7().run("--version").orFail().out()).startsWith("qemu-img version 7.");
    }

    @Test
    void aMissingPeerFailsWithTheWayToGetIt() {
        assertThatThrownBy(() -> Peers.qemu10("qemu-nothing"))
                .isInstanceOf(AssertionError.class)
                .hasMessageContaining("run ./test or scripts/peers");
        assertThatThrownBy(() -> Peers.system("no-such-program"))
                .isInstanceOf(AssertionError.class)
                .hasMessageContaining("run ./test or scripts/peers");
    }

    @Test
    void whatQemuIoWritesConvertReads(@TempDir Path folder) {
        Path image = folder.resolve("a.qcow2");
        QemuImg.v10().create(image, "1M", "-o", "compat=0.10");
        QemuImg.v10().io(image, List.of("write -P 0x5a 65536 512", "write -P 0x33 1048064 512"));

        byte[] bytes = QemuImg.v10().bytesOf(image);

        assertThat(bytes).hasSize(1 << 20);
        assertThat(bytes[65536]).isEqualTo((byte) 0x5a);
        assertThat(bytes[65535]).isZero();
        assertThat(bytes[(1 << 20) - 1]).isEqualTo((byte) 0x33);
    }

    @Test
    void aFailedCommandOfQemuIoFailsTheTest(@TempDir Path folder) {
        Path image = folder.resolve("a.qcow2");
        QemuImg.v10().create(image, "1M");

        assertThatThrownBy(() -> QemuImg.v10().io(image, List.of("write -P 1 2M 512")))
                .isInstanceOf(AssertionError.class);
    }

    @Test
    void aServerIsAwaitedAndKilled(@TempDir Path folder) throws Exception {
        Path image = folder.resolve("a.raw");
        Files.write(image, new byte[4096]);
        Path socket =
                Files.createTempDirectory(Path.of("/tmp"), "cowherd-peers").resolve("s");
        ProcessHandle process;
        try (RunningPeer server = RunningPeer.start(List.of(
                Peers.qemu10("qemu-nbd").toString(),
                "-t",
                "-r",
                "-f",
                "raw",
                "-k",
                socket.toString(),
                image.toString()))) {
            server.awaitFile(socket);
            assertThat(Processes.run(Peers.system("nbdinfo").toString(), "--size", "nbd+unix:///?socket=" + socket)
                            .orFail()
                            .out())
                    .isEqualTo("4096\n");
            process = server.process();
        } finally {
            Files.deleteIfExists(socket);
            Files.deleteIfExists(socket.getParent());
        }
        assertThat(process.isAlive()).isFalse();
    }
}
