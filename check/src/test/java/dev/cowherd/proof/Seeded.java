package dev.cowherd.proof;

/** What is drawn from the suite's seed, and says which one it was where it fails. */
final class Seeded {
    private Seeded() {}

    /** Draws from a seed. */
    interface Drawn {
        void play(long seed) throws Exception;
    }

    /** Plays what is drawn from {@link Lab#seed}. */
    static void play(Object what, Drawn drawn) {
        long seed = Lab.seed();
        try {
            drawn.play(seed);
        } catch (Exception | AssertionError e) {
            throw new AssertionError(what + ", replayed by -Dcowherd.seed=" + seed + ": " + e, e);
        }
    }
}
