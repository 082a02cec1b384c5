package dev.cowherd.check;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.testkit.ImageRecipe;
import dev.cowherd.testkit.ImageRecipes;
import dev.cowherd.testkit.QemuImages;
import dev.cowherd.testkit.QemuImg;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** On images as QEMU makes them, of every kind, the check says what QEMU's says: every number, with 1 and with 4 threads. */
class CleanImagesTest {
    private static final QemuImages IMAGES = QemuImages.shared();
    private static final QemuImg QEMU = QemuImg.v10();

    static List<ImageRecipe> recipes() {
        return ImageRecipes.pairwise(1);
    }

    @ParameterizedTest
    @MethodSource("recipes")
    void saysWhatQemuSays(ImageRecipe recipe) throws IOException {
        Path image = IMAGES.make(recipe).top();
        Verdict expected = Verdict.ofQemu(QEMU, image);
        assertThat(expected.refused()).as(expected.reason()).isFalse();
        for (int threads : new int[] {1, 4}) {
            Verdict ours = Verdict.ofOurs(image, threads);
            assertThat(ours.numbers()).as(ours.reason()).isEqualTo(expected.numbers());
            assertThat(ours.lines()).isEmpty();
        }
    }
}
