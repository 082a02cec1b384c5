package dev.cowherd.testkit.lab;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowherd.metadata.Signal;
import dev.cowherd.storage.fiber.FiberLoop;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Orders of steps: all of them where all are asked for, each one once, each one repeatable. */
class StepSchedulerTest {
    /** The orders that exploring finds for two workers of so many letters, each with a step between any two. */
    private static Set<String> orders(Schedules schedules, int a, int b) {
        Set<String> found = new HashSet<>();
        long runs = schedules.explore(steps -> {
            StringBuilder order = new StringBuilder();
            steps.worker("a", () -> letters(steps, order, 'a', a));
            steps.worker("b", () -> letters(steps, order, 'b', b));
            steps.run();
            found.add(order.toString());
        });
        assertThat(runs).as("each order once").isGreaterThanOrEqualTo(found.size());
        return found;
    }

    private static Void letters(StepScheduler steps, StringBuilder order, char letter, int count) {
        for (int i = 0; i < count; i++) {
            if (i > 0) {
                steps.step(letter);
            }
            order.append(letter);
        }
        return null;
    }

    @ParameterizedTest
    @CsvSource({"1,1,2", "2,2,6", "3,3,20", "4,2,15", "5,5,252"})
    void withoutABoundEveryInterleavingIsFoundOnce(int a, int b, int expected) {
        Schedules all = Schedules.exhaustive(100);
        assertThat(orders(all, a, b)).hasSize(expected);
        assertThat(all.explore(steps -> {
                    StringBuilder order = new StringBuilder();
                    steps.worker("a", () -> letters(steps, order, 'a', a));
                    steps.worker("b", () -> letters(steps, order, 'b', b));
                    steps.run();
                }))
                .isEqualTo(expected);
    }

    /** Counted by hand as well: an interruption is a change of letter before the first one's letters are all out. */
    @ParameterizedTest
    @CsvSource({"0", "1", "2", "3"})
    void aBoundAllowsSoManyInterruptionsAndNoMore(int bound) {
        Set<String> expected = new HashSet<>();
        for (String order : orders(Schedules.exhaustive(100), 4, 4)) {
            int interruptions = 0;
            for (int i = 1; i < order.length(); i++) {
                boolean before = order.substring(i).indexOf(order.charAt(i - 1)) >= 0;
                interruptions += order.charAt(i) != order.charAt(i - 1) && before ? 1 : 0;
            }
            if (interruptions <= bound) {
                expected.add(order);
            }
        }
        assertThat(orders(Schedules.exhaustive(bound), 4, 4)).isEqualTo(expected);
    }

    @Test
    void drawingFindsEveryOrderOfASmallCaseAndRepeatsItself() {
        assertThat(orders(Schedules.drawn(3, 400), 3, 3)).hasSize(20);
        assertThat(orders(Schedules.drawn(4, 5), 6, 6)).isEqualTo(orders(Schedules.drawn(4, 5), 6, 6));
    }

    @Test
    void whoWaitsGoesOnWhenAnotherHasDoneItsPart() {
        long runs = Schedules.exhaustive(100).explore(steps -> {
            boolean[] loaded = {false};
            StringBuilder order = new StringBuilder();
            steps.worker("waiter", () -> {
                steps.await(() -> loaded[0], "the load");
                order.append("after");
                return null;
            });
            steps.worker("loader", () -> {
                steps.step("loading");
                order.append("loaded ");
                loaded[0] = true;
                steps.step("loaded");
                return null;
            });
            steps.run();
            assertThat(order.toString()).isEqualTo("loaded after");
        });
        assertThat(runs).isGreaterThan(2);
    }

    @Test
    void aCircleOfWaitersIsReportedWithEachOnesPlace() {
        assertThatThrownBy(() -> Schedules.exhaustive(2).explore(steps -> {
                    boolean[] held = new boolean[2];
                    for (int i = 0; i < 2; i++) {
                        int mine = i;
                        steps.worker("worker " + i, () -> {
                            held[mine] = true;
                            steps.step("holds " + mine);
                            steps.await(() -> !held[1 - mine], "lock " + (1 - mine));
                            held[mine] = false;
                            return null;
                        });
                    }
                    steps.run();
                }))
                .hasMessageContaining("nobody can go on")
                .hasMessageContaining("worker 0 waits for lock 1")
                .hasMessageContaining("worker 1 waits for lock 0")
                .hasMessageContaining("Schedules.replaying(");
    }

    @Test
    void aLockHeldOverAStepIsReportedWithTheStack() {
        ReentrantLock lock = new ReentrantLock();
        StepScheduler steps = new StepScheduler(Chooser.replaying("0,1"), 200);
        for (int i = 0; i < 2; i++) {
            steps.worker("worker " + i, () -> {
                lock.lock();
                try {
                    steps.step("inside the lock");
                } finally {
                    lock.unlock();
                }
                return null;
            });
        }
        assertThatThrownBy(steps::run)
                .hasMessageContaining("a worker blocks where the scheduler cannot see it")
                .hasMessageContaining("worker 0 is at inside the lock")
                .satisfies(e -> assertThat(e.getSuppressed())
                        .anySatisfy(stack -> assertThat(stack.getStackTrace())
                                .anySatisfy(frame ->
                                        assertThat(frame.getMethodName()).isEqualTo("lock"))));
    }

    @Test
    void aWorkersFailureIsTheRunsFailureAndTheOthersEnd() {
        assertThatThrownBy(() -> Schedules.replaying("1,0").explore(steps -> {
                    steps.worker("good", () -> letters(steps, new StringBuilder(), 'x', 5));
                    steps.worker("bad", () -> {
                        throw new IllegalStateException("planted");
                    });
                    steps.run();
                }))
                .isInstanceOf(AssertionError.class)
                .hasMessageContaining("bad failed")
                .hasMessageContaining("planted");
    }

    /** Two fibers of one worker interleave as two workers do, once the second one has begun. */
    @ParameterizedTest
    @CsvSource({"2,2,6", "3,3,20", "4,2,15"})
    void fibersOfOneWorkerComeInEveryOrderToo(int a, int b, int expected) {
        Set<String> found = new HashSet<>();
        long runs = Schedules.exhaustive(100).explore(steps -> {
            StringBuilder order = new StringBuilder();
            steps.worker("both", () -> {
                try (FiberLoop loop = FiberLoop.open(2)) {
                    steps.play(loop);
                    for (char letter : new char[] {'a', 'b'}) {
                        loop.begin(() -> {
                            steps.step("begin");
                            letters(steps, order, letter, letter == 'a' ? a : b);
                        });
                    }
                    while (loop.busy() > 0) {
                        loop.turn(1);
                    }
                }
                return null;
            });
            steps.run();
            found.add(order.toString());
        });
        assertThat(found).hasSize(expected);
        assertThat(runs).isEqualTo(expected);
    }

    /** What a fiber waits for is fired by another worker: the loop is pressed, and no sooner can it go on. */
    @Test
    void aFiberThatWaitsGoesOnWhenAnotherWorkerWakesIt() {
        Set<String> found = new HashSet<>();
        Schedules.exhaustive(100).explore(steps -> {
            StringBuilder order = new StringBuilder();
            Signal signal = new Signal();
            steps.worker("waits", () -> {
                try (FiberLoop loop = FiberLoop.open(2)) {
                    steps.play(loop);
                    loop.begin(() -> {
                        FiberLoop.leaveUntil(signal::whenFired);
                        order.append('w');
                    });
                    while (loop.busy() > 0) {
                        loop.turn(1);
                    }
                }
                return null;
            });
            steps.worker("fires", () -> {
                letters(steps, order, 'f', 2);
                signal.fire();
                steps.step("fired");
                order.append('g');
                return null;
            });
            steps.run();
            found.add(order.toString());
        });
        assertThat(found).containsExactlyInAnyOrder("ffwg", "ffgw");
    }

    @Test
    void aFiberThatNobodyWakesIsReported() {
        assertThatThrownBy(() -> Schedules.drawn(1, 1).explore(steps -> {
                    steps.worker("forgotten", () -> {
                        FiberLoop loop = FiberLoop.open(2);
                        steps.play(loop);
                        loop.begin(() -> FiberLoop.leaveUntil(wake -> true));
                        loop.turn(1);
                        return null;
                    });
                    steps.run();
                }))
                .isInstanceOf(AssertionError.class)
                .hasMessageContaining("nobody can go on: [forgotten waits for a fiber]");
    }
}
