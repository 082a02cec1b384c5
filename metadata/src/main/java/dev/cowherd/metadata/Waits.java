package dev.cowherd.metadata;

/**
 * How a queue waits for another. Every place where the engine blocks one queue on another goes through here, so that a test can
 * decide which queue goes next and see who waits for what.
 */
@FunctionalInterface
public interface Waits {
    /** Parks the waiting thread: what everyone but a test wants. */
    Waits PARK = Signal::park;

    /**
     * Returns when the signal has been fired.
     *
     * @param signal what to wait for
     */
    void await(Signal signal);
}
