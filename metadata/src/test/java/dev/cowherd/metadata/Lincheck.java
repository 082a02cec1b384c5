package dev.cowherd.metadata;

import org.jetbrains.kotlinx.lincheck.LinChecker;
import org.jetbrains.lincheck.datastructures.ModelCheckingOptions;
import org.jetbrains.lincheck.datastructures.Options;
import org.jetbrains.lincheck.datastructures.StressOptions;

/**
 * How long Lincheck looks: for seconds in a normal run, for longer with {@code -Plab}. Its scenarios are drawn from a fixed seed, and each
 * is judged by a class that does the same in the simplest way, one operation after the other.
 */
final class Lincheck {
    private static final boolean LONG = "lab".equals(System.getProperty("cowherd.lab"));

    private Lincheck() {}

    /**
     * Walks through orders of small scenarios of two threads, switching threads at any access; a failure prints the order.
     *
     * @param scenarios how many in a normal run
     * @param orders of each
     */
    static void modelCheck(Class<?> test, Class<?> specification, int scenarios, int orders) {
        // A loop over some tables is no circle that nobody leaves.
        ModelCheckingOptions options = new ModelCheckingOptions().loopBound(200);
        run(test, specification, options, LONG ? 200 : scenarios, LONG ? 3000 : orders);
    }

    /** Plays scenarios on real threads. */
    static void stress(Class<?> test, Class<?> specification) {
        run(test, specification, new StressOptions(), LONG ? 200 : 5, LONG ? 10_000 : 100);
    }

    /** The other way to start a check has a variant for Kotlin's classes, and needs them to compile. */
    @SuppressWarnings("deprecation")
    private static <O extends Options<O, ?>> void run(
            Class<?> test, Class<?> specification, O options, int scenarios, int runs) {
        options.threads(2)
                .actorsPerThread(2)
                .actorsBefore(1)
                .actorsAfter(1)
                .sequentialSpecification(specification)
                .iterations(scenarios)
                .invocationsPerIteration(runs);
        LinChecker.check(test, options);
    }
}
