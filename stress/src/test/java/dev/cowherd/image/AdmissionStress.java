package dev.cowherd.image;

import dev.cowherd.metadata.Pause;
import dev.cowherd.metadata.Waits;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;
import org.openjdk.jcstress.infra.results.I_Result;

/** A request and a structural change never meet, and nobody is inside what is closed. */
public final class AdmissionStress {
    private AdmissionStress() {}

    /** A request sees all of a change that was made in a pause, or nothing of it; and the change sees all of the request. */
    @JCStressTest
    @Outcome(
            id = {"0, 2", "2, 0"},
            expect = Expect.ACCEPTABLE,
            desc = "One after the other.")
    @Outcome(expect = Expect.FORBIDDEN, desc = "They met.")
    @State
    public static class RequestAgainstPause {
        private final Admission door = new Admission(Waits.PARK);
        private int changes;
        private int writes;

        /** A request: looks at the structure twice, and writes. */
        @Actor
        public void request(II_Result r) {
            door.enter();
            int before = changes;
            writes++;
            Pause.shortly();
            int after = changes;
            writes++;
            r.r1 = before == after ? after : -1;
            door.leave();
        }

        /** A change in two steps. */
        @Actor
        public void change(II_Result r) {
            door.pause();
            changes++;
            Pause.shortly();
            r.r2 = writes;
            changes++;
            door.resume();
        }
    }

    /** What a queue uses is given back when nobody is inside. */
    @JCStressTest
    @Outcome(
            id = {"0", "1"},
            expect = Expect.ACCEPTABLE,
            desc = "Refused, or done before.")
    @Outcome(id = "2", expect = Expect.FORBIDDEN, desc = "A request on what was given back.")
    @State
    public static class RequestAgainstClose {
        private final Admission door = new Admission(Waits.PARK);
        private boolean givenBack;

        /** A request, if it is let in. */
        @Actor
        public void request(I_Result r) {
            try {
                door.enter();
            } catch (IllegalStateException closed) {
                return;
            }
            Pause.shortly();
            r.r1 = givenBack ? 2 : 1;
            door.leave();
        }

        /** Closes the queue. */
        @Actor
        public void close() {
            Pause.shortly();
            door.close();
            givenBack = true;
        }
    }
}
