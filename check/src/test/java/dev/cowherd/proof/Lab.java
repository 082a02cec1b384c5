package dev.cowherd.proof;

/** How long the proof runs, and where it starts. */
final class Lab {
    private static final boolean LONG = "lab".equals(System.getProperty("cowherd.lab"));

    private Lab() {}

    /** Whether this is the run with {@code -Plab}. */
    static boolean isLong() {
        return LONG;
    }

    /** One number in a normal run, another one with {@code -Plab}. */
    static int count(int normal, int lab) {
        return LONG ? lab : normal;
    }

    /** The seed of a suite: fixed in a normal run, so that it is green or red for good; {@code -Dcowherd.seed} sets it. */
    static long seed() {
        return Long.getLong("cowherd.seed", LONG ? System.nanoTime() : 20261122);
    }
}
