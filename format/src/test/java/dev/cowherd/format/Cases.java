package dev.cowherd.format;

import java.util.Random;

/** Runs a property on many random cases; a failing one names the seed that reruns it as the first. */
public final class Cases {
    private Cases() {}

    /** A property of one random case. */
    public interface Property {
        void check(Random random) throws Exception;
    }

    /** Runs {@code count} cases, from the seed in {@code -Dcowherd.seed} on if there is one. */
    public static void run(int count, Property property) {
        long first = Long.getLong("cowherd.seed", System.nanoTime());
        for (int i = 0; i < count; i++) {
            long seed = first + i;
            try {
                property.check(new Random(seed));
            } catch (Throwable t) {
                throw new AssertionError("rerun with -Dcowherd.seed=" + seed + ": " + t, t);
            }
        }
    }
}
