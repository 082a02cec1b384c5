package dev.cowherd.testkit;

import dev.cowherd.testkit.ImageRecipe.Below;
import dev.cowherd.testkit.ImageRecipe.Compression;
import dev.cowherd.testkit.ImageRecipe.DataFile;
import dev.cowherd.testkit.ImageRecipe.Preallocation;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;

/**
 * Chooses the images of the matrix: as few as hold every pair of two properties' values that QEMU can make together.
 */
public final class ImageRecipes {
    private static final int SAMPLES = 30_000;
    private static final int CANDIDATES = 200;

    private static final List<List<?>> AXES = List.of(
            List.of(2, 3),
            List.of(512, 2 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 2 << 20),
            List.of(1, 2, 4, 8, 16, 32, 64),
            List.of(false, true),
            List.of(Compression.values()),
            List.of(DataFile.values()),
            List.of(Preallocation.values()),
            List.of(1, 2, 3, 4, 5),
            List.of(Below.values()),
            List.of(false, true),
            List.of(false, true));

    private ImageRecipes() {}

    /**
     * The matrix.
     *
     * @param seed the same seed gives the same images
     * @return the recipes, each pair of possible values in at least one of them
     */
    public static List<ImageRecipe> pairwise(long seed) {
        Random random = new Random(seed);
        Set<Long> open = new HashSet<>();
        for (int i = 0; i < SAMPLES; i++) {
            int[] choice = randomChoice(random);
            if (recipe(choice, 0).isPossible()) {
                open.addAll(pairsOf(choice));
            }
        }
        List<ImageRecipe> recipes = new ArrayList<>();
        while (!open.isEmpty()) {
            int[] best = bestOf(random, open);
            if (open.removeAll(pairsOf(best))) {
                recipes.add(recipe(best, seed * 1000 + recipes.size()));
            }
        }
        return recipes;
    }

    /**
     * Any possible recipe.
     *
     * @param random where the choice comes from
     * @return a recipe of one layer without snapshots and bitmaps, for a layer below another
     */
    static ImageRecipe anyLayer(Random random) {
        while (true) {
            int[] choice = randomChoice(random);
            choice[7] = 0;
            choice[8] = 0;
            choice[9] = 0;
            choice[10] = 0;
            ImageRecipe recipe = recipe(choice, random.nextInt(1 << 20));
            if (recipe.isPossible()) {
                return recipe;
            }
        }
    }

    private static int[] bestOf(Random random, Set<Long> open) {
        int[] best = new int[0];
        long bestCount = -1;
        for (int tried = 0; tried < CANDIDATES; ) {
            int[] choice = randomChoice(random);
            if (!recipe(choice, 0).isPossible()) {
                continue;
            }
            tried++;
            long count = pairsOf(choice).stream().filter(open::contains).count();
            if (count > bestCount) {
                best = choice;
                bestCount = count;
            }
        }
        return best;
    }

    private static int[] randomChoice(Random random) {
        return AXES.stream().mapToInt(axis -> random.nextInt(axis.size())).toArray();
    }

    private static Set<Long> pairsOf(int[] choice) {
        Set<Long> pairs = new HashSet<>();
        for (int i = 0; i < choice.length; i++) {
            for (int j = i + 1; j < choice.length; j++) {
                pairs.add((long) i << 24 | (long) choice[i] << 16 | (long) j << 8 | choice[j]);
            }
        }
        return pairs;
    }

    private static ImageRecipe recipe(int[] choice, long seed) {
        return new ImageRecipe(
                seed,
                (int) value(choice, 0),
                (int) value(choice, 1),
                (int) value(choice, 2),
                (boolean) value(choice, 3),
                (Compression) value(choice, 4),
                (DataFile) value(choice, 5),
                (Preallocation) value(choice, 6),
                (int) value(choice, 7),
                (Below) value(choice, 8),
                (boolean) value(choice, 9),
                (boolean) value(choice, 10));
    }

    private static Object value(int[] choice, int axis) {
        return AXES.get(axis).get(choice[axis]);
    }
}
