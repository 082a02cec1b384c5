package dev.cowherd.metadata;

/** Makes what should happen alone last long enough to be met. */
public final class Pause {
    private Pause() {}

    /** Spins for some hundred nanoseconds. */
    public static void shortly() {
        for (int i = 0; i < 20; i++) {
            Thread.onSpinWait();
        }
    }
}
