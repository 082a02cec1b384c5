package dev.cowherd.format;

import java.util.Random;

/** Runs a property on many random cases; a failing one names the seed that reruns it as the first. */
public final class Cases {
    private Cases() {}

    /** A property of one random case. */
    public interface Property {
        void check(Random random) throws Exception;
    }

    /**
     * Runs {@code count} cases, from a fixed seed on, so that a normal run is green or red for good; {@code
     * -Dcowherd.seed} sets it. With {@code -Plab} a hundred times as many, from a new one.
     */
    public static void run(int count, Property property) {
        boolean lab = "lab".equals(System.getProperty("cowherd.lab"));
        long first = Long.getLong("cowherd.seed", lab ? System.nanoTime() : 20261128);
        int cases = lab ? 100 * count : count;
        for (int i = 0; i < cases; i++) {
            long seed = first + i;
            try {
                property.check(new Random(seed));
            } catch (Throwable t) {
                throw new AssertionError("rerun with -Dcowherd.seed=" + seed + ": " + t, t);
            }
        }
    }
}
