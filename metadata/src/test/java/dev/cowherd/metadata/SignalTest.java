package dev.cowherd.metadata;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What waits for a signal without a thread is woken once if it was told to wait, and else not at all. */
class SignalTest {
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
}
