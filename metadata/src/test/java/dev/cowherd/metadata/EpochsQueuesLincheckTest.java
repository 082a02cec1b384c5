package dev.cowherd.metadata;

import org.jetbrains.lincheck.datastructures.Operation;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Queues that come and go at the same time lose nobody's request from sight. */
@Tag("lincheck")
public class EpochsQueuesLincheckTest {
    private final Epochs epochs = new Epochs();

    @Operation
    public void staysInARequest() {
        epochs.register().begin();
    }

    @Operation
    public void comesAndGoes() {
        epochs.forget(epochs.register());
    }

    @Operation
    public boolean mayGiveAway() {
        return epochs.stamp() < epochs.oldest();
    }

    /** What is asked for: nothing is given away from the first request on that never ends. */
    public static class InSequence {
        private boolean used;

        public void staysInARequest() {
            used = true;
        }

        public void comesAndGoes() {}

        public boolean mayGiveAway() {
            return !used;
        }
    }

    @Test
    void inEveryOrder() {
        Lincheck.modelCheck(EpochsQueuesLincheckTest.class, InSequence.class, 12, 40);
    }

    @Test
    void onRealThreads() {
        Lincheck.stress(EpochsQueuesLincheckTest.class, InSequence.class);
    }
}
