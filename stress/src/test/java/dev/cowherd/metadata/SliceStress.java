package dev.cowherd.metadata;

import java.util.List;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Mode;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.Signal;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/** What look-ups see of a slice that changes: words and pairs that were there, and with a word all that was done before it. */
public final class SliceStress {
    private SliceStress() {}

    private static Slice slice(long... words) {
        return new Slice(null, 0, 0, 0, words);
    }

    /** The two words of an extended entry are of one time, however often they change. */
    @JCStressTest
    @Outcome(id = "0, 0", expect = Expect.ACCEPTABLE, desc = "Whole pairs only.")
    @Outcome(expect = Expect.FORBIDDEN, desc = "A mixed pair.")
    @State
    public static class PairIsReadWhole {
        private static final int ROUNDS = 20;
        private final Slice slice = slice(0, 0);

        /** Who changes the entry, alone: so without the monitor, which would hide what the sequence is there for. */
        @Actor
        public void change() {
            for (int value = 1; value <= ROUNDS; value++) {
                slice.setPair(0, value, value);
            }
        }

        /** Look-ups. */
        @Actor
        public void lookUp(II_Result r) {
            for (int i = 0; i < ROUNDS; i++) {
                int sequence = slice.sequence();
                long first = slice.word(0);
                long second = slice.word(1);
                if (!slice.changedSince(sequence) && first != second) {
                    r.r1 = (int) first;
                    r.r2 = (int) second;
                }
            }
        }
    }

    /** Who looks again and again sees a change in the end. */
    @JCStressTest(Mode.Termination)
    @Outcome(id = "TERMINATED", expect = Expect.ACCEPTABLE, desc = "Seen.")
    @Outcome(id = "STALE", expect = Expect.FORBIDDEN, desc = "Never seen: the look-up keeps an old word for ever.")
    @State
    public static class ChangeIsSeenInTheEnd {
        private final Slice slice = slice(0);

        /** Looks until the word is there. */
        @Actor
        public void lookUp() {
            while (slice.word(0) == 0) {}
        }

        /** Changes it. */
        @Signal
        public void change() {
            slice.set(0, 1);
        }
    }

    /** Link after write: who finds the new word finds what was done before. */
    @JCStressTest
    @Outcome(
            id = {"0, 0", "0, 1", "1, 1"},
            expect = Expect.ACCEPTABLE,
            desc = "The old mapping, or the new one with its bytes.")
    @Outcome(id = "1, 0", expect = Expect.FORBIDDEN, desc = "The new mapping without its bytes.")
    @State
    public static class WordComesAfterBytes {
        private final Slice slice = slice(0);
        private int bytes;

        /** An allocating write. */
        @Actor
        public void write() {
            bytes = 1;
            slice.set(0, 1);
        }

        /** A read. */
        @Actor
        public void read(II_Result r) {
            r.r1 = (int) slice.word(0);
            r.r2 = bytes;
        }
    }

    /** The same of an extended entry. */
    @JCStressTest
    @Outcome(
            id = {"0, 0", "0, 1", "1, 1"},
            expect = Expect.ACCEPTABLE,
            desc = "The old mapping, or the new one with its bytes.")
    @Outcome(id = "1, 0", expect = Expect.FORBIDDEN, desc = "The new mapping without its bytes.")
    @State
    public static class PairComesAfterBytes {
        private final Slice slice = slice(0, 0);
        private int bytes;

        /** An allocating write. */
        @Actor
        public void write() {
            bytes = 1;
            slice.setPair(0, 1, 1);
        }

        /** A read. */
        @Actor
        public void read(II_Result r) {
            r.r1 = (int) slice.word(1);
            r.r2 = bytes;
        }
    }

    /** A change is made to a slice that is current, and then the slice stays. */
    @JCStressTest
    @Outcome(
            id = {"1, 0", "0, 1"},
            expect = Expect.ACCEPTABLE,
            desc = "Either the change or the eviction.")
    @Outcome(expect = Expect.FORBIDDEN, desc = "A change of a slice that is forgotten, or neither.")
    @State
    public static class ChangeAgainstEviction {
        private final Slice slice = slice(0);

        /** Who changes it. */
        @Actor
        public void change(II_Result r) {
            slice.touch();
            synchronized (slice) {
                if (!slice.isEvicted()) {
                    slice.set(0, 1);
                    slice.markDirty(List.of());
                    r.r1 = 1;
                }
            }
        }

        /** The clock's hand, on its second round. */
        @Actor
        public void evict(II_Result r) {
            slice.takeUsed();
            r.r2 = slice.tryEvict() ? 1 : 0;
        }
    }
}
