package dev.cowherd.metadata;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;
import org.openjdk.jcstress.infra.results.Z_Result;

/** No request that can still know a cluster is overlooked by who wants to use that cluster anew. */
public final class EpochsStress {
    private static final int OLD = 1;
    private static final int NEW = 2;

    private EpochsStress() {}

    /** The request publishes its epoch before it reads the map; the unlink changes the map before it looks at the epochs. */
    @JCStressTest
    @Outcome(
            id = "1, 0",
            expect = Expect.ACCEPTABLE,
            desc = "The request knows the cluster, and the cluster waits for it.")
    @Outcome(id = "2, 0", expect = Expect.ACCEPTABLE, desc = "The cluster waits for a request that does not know it.")
    @Outcome(id = "2, 1", expect = Expect.ACCEPTABLE, desc = "The request does not know the cluster.")
    @Outcome(id = "1, 1", expect = Expect.FORBIDDEN, desc = "The cluster is used anew under a request that knows it.")
    @State
    public static class BeginAgainstUnlink {
        private final Epochs epochs = new Epochs();
        private final Epochs.Slot slot = epochs.register();
        private final Slice slice = new Slice(null, 0, 0, 0, new long[] {OLD});
        /** What the queue wrote before, on its way to the cache: it makes the epoch's store late, if nothing waits for that. */
        private final long[] written = new long[128];

        /** The request. */
        @Actor
        public void request(II_Result r) {
            r.r1 = (int) slice.word(0);
            for (int i = 0; i < written.length; i += 8) {
                written[i] = 1;
            }
            slot.begin();
            r.r1 = (int) slice.word(0);
        }

        /** The unlink, and the question whether the cluster may be used anew. */
        @Actor
        public void unlink(II_Result r) {
            r.r2 = (int) epochs.oldest();
            slice.set(0, NEW);
            long stamp = epochs.stamp();
            r.r2 = stamp < epochs.oldest() ? 1 : 0;
        }
    }

    /** What a request does to host bytes is over when its end is seen. */
    @JCStressTest
    @Outcome(
            id = {"1, 0", "1, 1"},
            expect = Expect.ACCEPTABLE,
            desc = "The request saw its own cluster.")
    @Outcome(expect = Expect.FORBIDDEN, desc = "The request saw the next owner's bytes.")
    @State
    public static class EndAgainstReuse {
        private final Epochs epochs = new Epochs();
        private final Epochs.Slot slot = epochs.register();
        private final long stamp;
        private int bytes = OLD;

        public EndAgainstReuse() {
            slot.begin();
            stamp = epochs.stamp();
        }

        /** The last look of a request. */
        @Actor
        public void request(II_Result r) {
            r.r1 = bytes;
            slot.end();
        }

        /** The next owner. */
        @Actor
        public void reuse(II_Result r) {
            if (stamp < epochs.oldest()) {
                bytes = NEW;
                r.r2 = 1;
            }
        }
    }

    /** Queues that come at once are both seen. */
    @JCStressTest
    @Outcome(id = "true", expect = Expect.ACCEPTABLE, desc = "Both queues hold the cluster back.")
    @Outcome(id = "false", expect = Expect.FORBIDDEN, desc = "A queue is overlooked.")
    @State
    public static class TwoQueuesCome {
        private final Epochs epochs = new Epochs();
        private Epochs.Slot first;
        private Epochs.Slot second;

        /** One queue. */
        @Actor
        public void one() {
            first = epochs.register();
            first.begin();
        }

        /** Another one. */
        @Actor
        public void two() {
            second = epochs.register();
            second.begin();
        }

        /** Each of them alone is enough to hold back what is unlinked now. */
        @Arbiter
        public void both(Z_Result r) {
            long stamp = epochs.stamp();
            first.end();
            boolean secondSeen = stamp >= epochs.oldest();
            second.end();
            first.begin();
            boolean firstSeen = epochs.stamp() >= epochs.oldest();
            r.r1 = firstSeen && secondSeen;
        }
    }
}
