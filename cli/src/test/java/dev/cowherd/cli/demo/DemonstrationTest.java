package dev.cowherd.cli.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowherd.testkit.QemuImg;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Proves that the demonstration runs, that its images are what QEMU takes them for, and that it notices a wrong byte. */
final class DemonstrationTest {
    private static final long SIZE = 16 << 20;

    @TempDir
    Path folder;

    @Test
    void everyStepIsShown() throws IOException {
        ByteArrayOutputStream shown = new ByteArrayOutputStream();
        new Demonstration(SIZE, Duration.ofMillis(50), Duration.ZERO)
                .run(folder, new PrintStream(shown, true, StandardCharsets.UTF_8));
        assertThat(shown.toString(StandardCharsets.UTF_8))
                .contains("  queues     MiB/s   ratio     verified")
                .containsPattern("\n +4 +\\d+ +\\d+\\.\\d\\d +\\d+ MiB\n")
                .contains("check top.qcow2     no errors", "qemu-img check agrees")
                .contains("nbdcopy copied all by 4 connections", "16 MiB of the copy verified")
                .containsPattern("killed \\(SIGKILL\\) +in the middle, after \\d+ writes and \\d+ flushes")
                .containsPattern("opened again +[1-9]\\d* blocks as flushed, \\d+ written later, \\d+ as below")
                .contains("All as it must be");
    }

    @Test
    void qemuReadsTheSameBytes() throws IOException {
        DemoChain chain = DemoChain.create(folder, SIZE);
        Path raw = folder.resolve("qemus.raw");
        QemuImg qemu = QemuImg.v10();
        qemu.convert(chain.top(), raw);
        assertThat(RealClient.verifyFile(raw, SIZE)).isEqualTo(SIZE);
        qemu.run("check", chain.top().toString()).orFail();
        qemu.run("check", chain.middle().toString()).orFail();
    }

    @Test
    void aFlushedWriteThatIsLostIsNoticed() throws IOException {
        DemoChain.create(folder, SIZE);
        Path image = folder.resolve("written.qcow2");
        QemuImg qemu = QemuImg.v10();
        qemu.create(image, "16M", "-b", "top.qcow2", "-F", "qcow2");
        KilledWriters killed = KilledWriters.run(image, folder, Duration.ofMillis(200));
        assertThat(WrittenDisk.verify(image, killed.durable()).flushed()).isPositive();
        WriteScript script = new WriteScript(SIZE >> DemoContent.CLUSTER_BITS);
        long lost = script.firstBlock(2, killed.durable().get(2)) * WriteScript.BLOCK_BYTES;
        qemu.io(image, List.of("write -P 17 " + lost + " 512"));
        assertThatThrownBy(() -> WrittenDisk.verify(image, killed.durable()))
                .isInstanceOf(IOException.class)
                .hasMessageContaining(
                        "block " + lost / WriteScript.BLOCK_BYTES + " holds bytes that nobody wrote there");
    }

    @Test
    void aWrongByteIsNoticed() throws IOException {
        Path file = folder.resolve("copy");
        DemoChain chain = DemoChain.create(folder, SIZE);
        QemuImg.v10().convert(chain.top(), file);
        long place = SIZE / 2 + 12_345;
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            ByteBuffer one = ByteBuffer.allocate(1);
            channel.read(one, place);
            channel.write(ByteBuffer.wrap(new byte[] {(byte) (one.get(0) + 1)}), place);
        }
        assertThatThrownBy(() -> RealClient.verifyFile(file, SIZE))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("guest offset " + (place - place % 8));
    }
}
