package dev.cowherd.metadata;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.jetbrains.lincheck.datastructures.Operation;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** What is replaced while a request may know it is not given away before the request has ended, on old queues and on new ones. */
@Tag("lincheck")
public class EpochsLincheckTest {
    private final Epochs epochs = new Epochs();
    private final Epochs.Slot old = epochs.register();
    private final AtomicInteger current = new AtomicInteger();
    private final AtomicIntegerArray givenAway = new AtomicIntegerArray(32);

    /** One queue, so never two of its requests at once. */
    @Operation(nonParallelGroup = "queue")
    public boolean request() {
        return use(old);
    }

    @Operation
    public boolean requestOfANewQueue() {
        Epochs.Slot slot = epochs.register();
        boolean fine = use(slot);
        epochs.forget(slot);
        return fine;
    }

    private boolean use(Epochs.Slot slot) {
        slot.begin();
        int known = current.get();
        boolean fine = givenAway.get(known) == 0;
        slot.end();
        return fine;
    }

    /** Nothing is returned: whether it may be given away at once depends on who else is there. */
    @Operation
    public void replace() {
        int before = current.getAndIncrement();
        if (epochs.stamp() < epochs.oldest()) {
            givenAway.set(before, 1);
        }
    }

    /** What is asked for: no request ever knows what was given away. */
    public static class InSequence {
        public boolean request() {
            return true;
        }

        public boolean requestOfANewQueue() {
            return true;
        }

        public void replace() {}
    }

    @Test
    void inEveryOrder() {
        Lincheck.modelCheck(EpochsLincheckTest.class, InSequence.class, 12, 40);
    }

    @Test
    void onRealThreads() {
        Lincheck.stress(EpochsLincheckTest.class, InSequence.class);
    }
}
