package dev.cowherd.image;

import dev.cowherd.metadata.Waits;
import org.jetbrains.kotlinx.lincheck.LinChecker;
import org.jetbrains.lincheck.datastructures.ModelCheckingOptions;
import org.jetbrains.lincheck.datastructures.Operation;
import org.jetbrains.lincheck.datastructures.Options;
import org.jetbrains.lincheck.datastructures.StressOptions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * At a queue's door a request and a change that has paused it never meet, each sees what was done before it, and after the door has closed
 * nobody is inside or comes in: in every order that Lincheck finds, and on real threads.
 */
@Tag("lincheck")
public class AdmissionLincheckTest {
    private static final boolean LONG = "lab".equals(System.getProperty("cowherd.lab"));
    private static final int CLOSED = -1;

    private final Admission door = new Admission(Waits.PARK);
    /** Kept whole by the door alone: neither volatile nor atomic. */
    private int state;

    private boolean released;

    /** A queue belongs to one thread. */
    @Operation(nonParallelGroup = "queue")
    public int request() {
        try {
            door.enter();
        } catch (IllegalStateException e) {
            return CLOSED;
        }
        if (released) {
            throw new AssertionError("a request uses what was given back");
        }
        int before = state;
        state = before + 1;
        door.leave();
        return before;
    }

    /** One thread at a time pauses. */
    @Operation(nonParallelGroup = "structure")
    public int change() {
        door.pause();
        int before = state;
        state = before + 10;
        door.resume();
        return before;
    }

    @Operation
    public void close() {
        door.close();
        released = true;
    }

    /** What is asked for: the same, one after the other. */
    public static class InSequence {
        private int state;
        private boolean closed;

        public int request() {
            return closed ? CLOSED : state++;
        }

        public int change() {
            state += 10;
            return state - 10;
        }

        public void close() {
            closed = true;
        }
    }

    @Test
    void inEveryOrder() {
        run(new ModelCheckingOptions(), LONG ? 200 : 15, LONG ? 3000 : 50);
    }

    @Test
    void onRealThreads() {
        run(new StressOptions(), LONG ? 200 : 5, LONG ? 10_000 : 100);
    }

    /** The other way to start a check has a variant for Kotlin's classes, and needs them to compile. */
    @SuppressWarnings("deprecation")
    private static <O extends Options<O, ?>> void run(O options, int scenarios, int runs) {
        options.threads(2)
                .actorsPerThread(3)
                .actorsBefore(0)
                .actorsAfter(1)
                .sequentialSpecification(InSequence.class)
                .iterations(scenarios)
                .invocationsPerIteration(runs);
        LinChecker.check(AdmissionLincheckTest.class, options);
    }
}
