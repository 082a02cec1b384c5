package dev.cowherd.metadata;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;

/**
 * What waits for a signal without a thread is woken once if it was told to wait, and else not at all; threads that wait all go on, with
 * their interrupts.
 */
class SignalTest {
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    @Test
    void anActionThatIsKeptIsRunOnceAndOneThatIsNotKeptNever() {
        Signal signal = new Signal();
        List<String> ran = new ArrayList<>();
        assertThat(signal.whenFired(() -> ran.add("kept"))).isTrue();
        assertThat(ran).isEmpty();
        signal.fire();
        assertThat(ran).containsExactly("kept");
        signal.fire();
        assertThat(signal.whenFired(() -> ran.add("too late"))).isFalse();
        signal.fire();
        assertThat(ran).containsExactly("kept");
    }

    @Test
    void allThreadsThatWaitGoOnAndNobodyWaitsAfterwards() throws InterruptedException {
        Signal signal = new Signal();
        List<Thread> waiting = List.of(waiter(signal, new AtomicBoolean()), waiter(signal, new AtomicBoolean()));
        waiting.forEach(SignalTest::awaitParked);
        signal.fire();
        for (Thread thread : waiting) {
            assertThat(thread.join(PATIENCE)).isTrue();
        }
        assertThat(waiter(signal, new AtomicBoolean()).join(PATIENCE)).isTrue();
    }

    @Test
    void anInterruptEndsNoWaitAndIsKept() throws InterruptedException {
        Signal signal = new Signal();
        AtomicBoolean interrupted = new AtomicBoolean();
        Thread thread = waiter(signal, interrupted);
        awaitParked(thread);
        thread.interrupt();
        // The flag goes once the wait has noticed; then it waits again.
        while (thread.isInterrupted()) {
            Thread.onSpinWait();
        }
        awaitParked(thread);
        assertThat(thread.isAlive()).isTrue();
        signal.fire();
        assertThat(thread.join(PATIENCE)).isTrue();
        assertThat(interrupted).isTrue();
    }

    private static Thread waiter(Signal signal, AtomicBoolean interrupted) {
        return Thread.ofPlatform().daemon().start(() -> {
            signal.await(Waits.PARK);
            interrupted.set(Thread.currentThread().isInterrupted());
        });
    }

    /** Until the thread waits, or has ended, which the test then sees. */
    private static void awaitParked(Thread thread) {
        while (thread.isAlive() && thread.getState() != Thread.State.WAITING) {
            Thread.onSpinWait();
        }
    }
}
