package dev.cowherd.proof;

/** How long the proof runs, and where it starts. */
final class Lab {
    private static final boolean LONG = "lab".equals(System.getProperty("cowherd.lab"));
    private static final long SEED = Long.getLong("cowherd.seed", LONG ? System.nanoTime() : 20261122);

    private Lab() {}

    /** Whether this is the run with {@code -Plab}. */
    static boolean isLong() {
        return LONG;
    }

    /** One number in a normal run, another one with {@code -Plab}. */
    static int count(int normal, int lab) {
        return LONG ? lab : normal;
    }

    /** The seed of a run: fixed in a normal one, so that it is green or red for good; {@code -Dcowherd.seed} sets it. */
    static long seed() {
        return SEED;
    }

    /** Some part of a suite. */
    @FunctionalInterface
    interface Part {
        void run() throws Exception;
    }

    /** Runs a part of a suite; its failure then says which part it was, and the seed that plays it again. */
    static void part(String name, Part part) {
        try {
            part.run();
        } catch (Exception | AssertionError e) {
            throw new AssertionError(
                    name + " (" + (LONG ? "-Dcowherd.lab=lab " : "") + "-Dcowherd.seed=" + SEED + "): " + e, e);
        }
    }
}
