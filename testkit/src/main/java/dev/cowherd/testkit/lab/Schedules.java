package dev.cowherd.testkit.lab;

import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/**
 * Runs one scenario in many orders of its steps. The scenario sets up afresh each time, adds workers to the scheduler it
 * is given, runs them, and judges the outcome:
 *
 * <pre>{@code
 * Schedules.exhaustive(2).explore(steps -> {
 *     var disk = new SteppedStorage(new SimStorage("disk"), steps);
 *     steps.worker("one", () -> { disk.write(0, a); return null; });
 *     steps.worker("two", () -> { disk.write(0, b); return null; });
 *     steps.run();
 *     assertThat(...);
 * });
 * }</pre>
 *
 * <p>A scenario must do the same when the choices are the same. Immutable.
 */
public final class Schedules {
    private final int bound;
    private final long count;
    private final long seed;
    private final @Nullable String choices;

    private Schedules(int bound, long count, long seed, @Nullable String choices) {
        this.bound = bound;
        this.count = count;
        this.seed = seed;
        this.choices = choices;
    }

    /**
     * Every order in which workers are interrupted at most so often; a worker that ends or waits is not interrupted.
     *
     * @param bound interruptions in one run, 0 or more
     * @return the schedules
     */
    public static Schedules exhaustive(int bound) {
        return new Schedules(bound, Long.MAX_VALUE, 0, null);
    }

    /**
     * Drawn orders.
     *
     * @param seed where the drawing begins
     * @param count how many runs
     * @return the schedules
     */
    public static Schedules drawn(long seed, long count) {
        return new Schedules(-1, count, seed, null);
    }

    /**
     * One order again.
     *
     * @param choices as a failure printed them
     * @return the schedule
     */
    public static Schedules replaying(String choices) {
        return new Schedules(-1, 1, 0, choices);
    }

    /**
     * Stops an exhaustive run after so many orders.
     *
     * @param runs the most orders
     * @return the schedules
     */
    public Schedules atMost(long runs) {
        return new Schedules(bound, Math.min(runs, count), seed, choices);
    }

    /** Sets up, runs and judges once. */
    @FunctionalInterface
    public interface Scenario {
        /**
         * Fails by throwing.
         *
         * @param steps the scheduler of this run
         * @throws Exception if the outcome is wrong
         */
        void play(StepScheduler steps) throws Exception;
    }

    /**
     * Plays the scenario in every order.
     *
     * @param scenario called once an order
     * @return how many orders were played
     * @throws AssertionError at the first order that fails, with what replays it
     */
    public long explore(Scenario scenario) {
        if (choices != null) {
            play(scenario, Chooser.replaying(choices), 0, "replayed");
            return 1;
        }
        if (bound < 0) {
            SplittableRandom seeds = new SplittableRandom(seed);
            for (long run = 0; run < count; run++) {
                long own = seeds.nextLong();
                play(scenario, Chooser.drawing(own), run, "drawn from seed " + seed);
            }
            return count;
        }
        Chooser.Exhaustive all = new Chooser.Exhaustive(bound);
        long runs = 0;
        do {
            play(scenario, all.next(), runs++, "of all with at most " + bound + " interruptions");
        } while (runs < count && all.advance());
        return runs;
    }

    private static void play(Scenario scenario, Chooser chooser, long run, String origin) {
        StepScheduler steps = new StepScheduler(chooser);
        try {
            scenario.play(steps);
        } catch (Exception | AssertionError e) {
            throw new AssertionError(
                    "order " + run + ", " + origin + " (Schedules.replaying(\"" + chooser.choices() + "\")): " + e, e);
        }
    }
}
