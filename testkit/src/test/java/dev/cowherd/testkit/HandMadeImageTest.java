package dev.cowherd.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The images that hostile ones are bent from are valid, so that a refusal is due to the damage alone. */
final class HandMadeImageTest {
    @TempDir
    private Path folder;

    static List<HandMadeImage> valid() {
        return List.of(
                HandMadeImage.plain(),
                HandMadeImage.extended(),
                HandMadeImage.of(2, 16),
                HandMadeImage.of(3, 9),
                HandMadeImage.of(2, 12),
                HandMadeImage.plain().snapshot(0x30000, 0));
    }

    @ParameterizedTest
    @MethodSource
    void valid(HandMadeImage image) {
        Path file = image.writeTo(folder.resolve("valid.qcow2"));
        byte[] expected = new byte[16 * (int) image.cluster(1)];
        for (int i = 0; i < 3; i++) {
            Arrays.fill(expected, (int) image.cluster(i), (int) image.cluster(i + 1), (byte) (0x55 + 0x11 * i));
        }

        // Cluster 8 is owned by nobody unless a snapshot table lies there: a leak, which is exit 3.
        assertThat(QemuImg.v10().run("check", file.toString()).exit()).isIn(0, 3);
        assertThat(QemuImg.v10().bytesOf(file)).isEqualTo(expected);
    }

    static Stream<HostileImage> harmless() {
        return HostileImages.all().stream().filter(image -> image.fate() == HostileImage.Fate.READ);
    }

    @ParameterizedTest
    @MethodSource
    void harmless(HostileImage image) {
        assertThat(QemuImg.v10().run("info", image.writeTo(folder).toString()).exit())
                .isZero();
    }

    @Test
    void everyRowHasAnImage() {
        assertThat(HostileImages.all().stream()
                        .map(HostileImage::row)
                        .distinct()
                        .sorted())
                .hasSize(34)
                .endsWith(34);
    }
}
