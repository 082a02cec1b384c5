package dev.cowherd.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.testkit.Processes;
import dev.cowherd.testkit.QemuImg;
import dev.cowherd.testkit.Ran;
import dev.cowherd.testkit.RunningPeer;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Proves that Ctrl-C while space is being written leaves no half-made image, or a whole one. */
final class InterruptedTest {
    /** More than is written until the signal comes, and less than fills a disk if it should not. */
    private static final String LARGE = "12G";

    private static final long UNDER_WAY_BYTES = 32 << 20;

    private final QemuImg qemu = QemuImg.v10();

    @TempDir
    Path folder;

    @ParameterizedTest
    @ValueSource(strings = {"qcow2", "raw"})
    void anUnfinishedImageIsRemoved(String format) {
        Path image = folder.resolve("disk");
        Ran ran = interrupted(image, "create", "-f", format, "-o", "preallocation=full", image.toString(), LARGE);
        assertThat(ran.exit()).as(ran.out()).isEqualTo(130);
        assertThat(ran.out()).endsWith("cowherd: " + image + ": interrupted; it was removed\n");
        assertThat(image).doesNotExist();
    }

    @Test
    void aFileThatWasThereHoldsNoImage() throws IOException {
        Path image = folder.resolve("disk");
        qemu.create(image, "8M");
        Ran ran = interrupted(image, "create", "-f", "qcow2", "-o", "preallocation=full", image.toString(), LARGE);
        assertThat(ran.exit()).as(ran.out()).isEqualTo(130);
        assertThat(ran.out())
                .endsWith("cowherd: " + image + ": interrupted; what was in it is gone, and it holds no image\n");
        assertThat(firstBytes(image)).doesNotStartWith("QFI");
    }

    @ParameterizedTest
    @ValueSource(strings = {"cluster_size=64k", "cluster_size=2M", "data_file=@,data_file_raw=on", "data_file=@"})
    void anImageThatWasToGrowIsAsItWas(String options) throws IOException {
        Path image = folder.resolve("disk");
        Path data = folder.resolve("data");
        boolean external = options.contains("@");
        qemu.create(image, "8M", "-o", options.replace("@", data.toString()));
        Ran ran = interrupted(external ? data : image, "resize", "--preallocation=full", image.toString(), LARGE);
        assertThat(ran.exit()).as(ran.out()).isEqualTo(130);
        assertThat(ran.out()).endsWith("cowherd: " + image + ": interrupted; it has its old size\n");
        qemu.run("check", image.toString()).orFail();
        assertThat(qemu.run("info", "--output=json", image.toString()).orFail().out())
                .contains("\"virtual-size\": " + (8L << 20));
        // What was taken until then went back.
        Ran du = Processes.run("du", "-cs", "--block-size=1", folder.toString()).orFail();
        assertThat(Long.parseLong(du.out().lines().toList().getLast().replaceAll("\\s.*", "")))
                .isLessThan(12 << 20);
        if (external) {
            assertThat(Files.size(data)).isEqualTo(8 << 20);
            return;
        }
        qemu.run("resize", image.toString(), "12G").orFail();
        assertThat(qemu.run("map", "--output=json", image.toString()).orFail().out())
                .doesNotContain("\"offset\"");
    }

    @Test
    void aTargetWhoseSpaceIsBeingTakenIsRemoved() {
        Path source = folder.resolve("source");
        qemu.create(source, LARGE);
        Path target = folder.resolve("target");
        Ran ran = interrupted(
                target, "convert", "-O", "qcow2", "-o", "preallocation=full", source.toString(), target.toString());
        assertThat(ran.exit()).as(ran.out()).isEqualTo(130);
        assertThat(ran.out()).isEqualTo("cowherd: interrupted; " + target + " removed\n");
        assertThat(target).doesNotExist();
    }

    private static Ran interrupted(Path image, String... command) {
        try (RunningPeer peer = RunningPeer.start(CommandRun.ownProcess(command))
                .await("some of the space is written", () -> isUnderWay(image))) {
            Processes.run("kill", "-INT", Long.toString(peer.process().pid())).orFail();
            return peer.awaitEnd();
        }
    }

    private static String firstBytes(Path image) throws IOException {
        try (InputStream in = Files.newInputStream(image)) {
            return new String(in.readNBytes(4), StandardCharsets.ISO_8859_1);
        }
    }

    private static boolean isUnderWay(Path image) {
        try {
            return Files.exists(image) && Files.size(image) > UNDER_WAY_BYTES;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
