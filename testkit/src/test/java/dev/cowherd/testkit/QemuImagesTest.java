package dev.cowherd.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

/** The matrix is what it claims: possible images, every pair of values, the same from the same seed. */
final class QemuImagesTest {
    private static final long SEED = 1;

    @Test
    void theMatrixIsDeterministicPossibleAndSmall() {
        List<ImageRecipe> recipes = ImageRecipes.pairwise(SEED);

        assertThat(recipes).isEqualTo(ImageRecipes.pairwise(SEED)).allMatch(ImageRecipe::isPossible);
        assertThat(recipes).hasSizeBetween(50, 110);
    }

    @Test
    void everyClusterSizeMeetsEveryRefcountWidthAndEveryChainLength() {
        List<ImageRecipe> recipes = ImageRecipes.pairwise(SEED);

        for (int cluster : List.of(512, 2048, 4096, 16384, 65536, 262144, 2097152)) {
            assertThat(recipes.stream().filter(r -> r.clusterBytes() == cluster).map(ImageRecipe::refcountBits))
                    .contains(1, 2, 4, 8, 16, 32, 64);
            assertThat(recipes.stream().filter(r -> r.clusterBytes() == cluster).map(ImageRecipe::layers))
                    .contains(1, 2, 3, 4, 5);
        }
    }

    @Test
    void qemuFindsNoFaultInAnImageOfTheMatrix() {
        QemuImages images = QemuImages.shared();
        for (ImageRecipe recipe : ImageRecipes.pairwise(SEED)) {
            MadeImage made = images.make(recipe);
            // 3 means leaked clusters, which do no harm to a reader.
            assertThat(QemuImg.v10().run("check", made.top().toString()).exit())
                    .as(recipe.name())
                    .isIn(0, 3);
        }
    }
}
