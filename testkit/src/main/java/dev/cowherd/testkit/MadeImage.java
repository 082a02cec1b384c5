package dev.cowherd.testkit;

import java.nio.file.Path;
import java.util.List;

/**
 * An image of the matrix on disk. Tests of several modules share it: nobody may write to it.
 *
 * @param recipe how it was made
 * @param top the top layer's file; all other files lie beside it
 * @param snapshots names of its internal snapshots, in the table's order
 */
public record MadeImage(ImageRecipe recipe, Path top, List<String> snapshots) {
    /** Copies the list. */
    public MadeImage {
        snapshots = List.copyOf(snapshots);
    }

    @Override
    public String toString() {
        return recipe.name();
    }
}
