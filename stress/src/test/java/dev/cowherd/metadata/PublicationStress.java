package dev.cowherd.metadata;

import dev.cowherd.metadata.MetadataPlaces.Kind;
import java.io.IOException;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Mode;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;
import org.openjdk.jcstress.infra.results.I_Result;
import org.openjdk.jcstress.infra.results.Z_Result;

/** The map's smaller parts that queues look at without a lock: the stop of writing, places of metadata, dirty bits, ranges, events. */
public final class PublicationStress {
    private PublicationStress() {}

    /** Who sees that writing has stopped can say why. */
    @JCStressTest
    @Outcome(id = "0", expect = Expect.ACCEPTABLE, desc = "Not stopped yet.")
    @Outcome(id = "1", expect = Expect.ACCEPTABLE, desc = "Stopped, with its cause.")
    @Outcome(id = "2", expect = Expect.FORBIDDEN, desc = "Stopped, and nobody knows why.")
    @State
    public static class StopWithItsCause {
        private final Health health = new Health("image");

        /** A sync failed. */
        @Actor
        public void stop() {
            health.stop("the host failed", new IOException("EIO", null));
        }

        /** A write comes. */
        @Actor
        public void write(I_Result r) {
            for (int i = 0; i < 20 && r.r1 == 0; i++) {
                try {
                    health.requireSound();
                } catch (IOException e) {
                    r.r1 = e.getCause() == null ? 2 : 1;
                }
            }
        }
    }

    /** The stop reaches everyone. */
    @JCStressTest(Mode.Termination)
    @Outcome(id = "TERMINATED", expect = Expect.ACCEPTABLE, desc = "Seen.")
    @Outcome(id = "STALE", expect = Expect.FORBIDDEN, desc = "A queue goes on writing for ever.")
    @State
    public static class StopIsSeen {
        private final Health health = new Health("image");

        /** Goes on until writing has stopped. */
        @Actor
        public void write() {
            while (!health.isStopped()) {}
        }

        /** A sync failed. */
        @org.openjdk.jcstress.annotations.Signal
        public void stop() {
            health.stop("the host failed", new IllegalStateException());
        }
    }

    /** A place that is known stays known while the table of places grows. */
    @JCStressTest
    @Outcome(id = "true", expect = Expect.ACCEPTABLE, desc = "Known.")
    @Outcome(id = "false", expect = Expect.FORBIDDEN, desc = "A cluster with metadata passes for a free one.")
    @State
    public static class PlacesGrow {
        private static final int BEFORE = 32;
        private final MetadataPlaces places = new MetadataPlaces(9, "image");

        public PlacesGrow() {
            places.add(0, BEFORE, Kind.ACTIVE_L2);
        }

        /** One more than fits. */
        @Actor
        public void add() {
            places.add(BEFORE, Kind.REFCOUNT_BLOCK);
        }

        /** A write asks. */
        @Actor
        public void ask(Z_Result r) {
            r.r1 = places.other(1, null) == Kind.ACTIVE_L2 && places.other(BEFORE - 1, null) == Kind.ACTIVE_L2;
        }
    }

    /** Bits that two queues set in one word at once are both set, also in a page that both make. */
    @JCStressTest
    @Outcome(id = "3", expect = Expect.ACCEPTABLE, desc = "Both bits.")
    @Outcome(expect = Expect.FORBIDDEN, desc = "A write that the bitmap does not tell of.")
    @State
    public static class TwoDirtyBits {
        private final DirtyBits bits = new DirtyBits(1 << 20, 9);

        /** One queue writes. */
        @Actor
        public void one() {
            bits.mark(0, 512);
        }

        /** Another one writes beside it. */
        @Actor
        public void two() {
            bits.mark(512, 512);
        }

        /** What goes to disk. */
        @Arbiter
        public void stored(I_Result r) {
            byte[] cluster = new byte[512];
            bits.store(0, cluster);
            r.r1 = cluster[0];
        }
    }

    /** One change at a time for a guest cluster, and each sees the one before. */
    @JCStressTest
    @Outcome(id = "2", expect = Expect.ACCEPTABLE, desc = "One after the other.")
    @Outcome(expect = Expect.FORBIDDEN, desc = "Two at once.")
    @State
    public static class OneChangeAtATime {
        private final InFlight inFlight = new InFlight(Waits.PARK);
        private int changes;

        private void change(long first, long end) {
            InFlight.Range range;
            do {
                range = inFlight.enterOrWait(first, end);
            } while (range == null);
            int before = changes;
            Pause.shortly();
            changes = before + 1;
            inFlight.leave(range);
        }

        /** One queue. */
        @Actor
        public void one() {
            change(1, 3);
        }

        /** Another one, whose range overlaps. */
        @Actor
        public void two() {
            change(2, 4);
        }

        /** Both changes were made. */
        @Arbiter
        public void both(I_Result r) {
            r.r1 = changes;
        }
    }

    /** What is to be done at an event is done once, or its asker is told that the event has been. */
    @JCStressTest
    @Outcome(
            id = {"1, 1", "0, 0"},
            expect = Expect.ACCEPTABLE,
            desc = "Done, or told.")
    @Outcome(expect = Expect.FORBIDDEN, desc = "A wake-up is lost, or comes twice.")
    @State
    public static class EventAgainstItsListener {
        private final dev.cowherd.metadata.Signal event = new dev.cowherd.metadata.Signal();
        private int done;
        private int taken;

        /** It happens. */
        @Actor
        public void fire() {
            event.fire();
        }

        /** Somebody wants to be told. */
        @Actor
        public void listen() {
            taken = event.whenFired(() -> done++) ? 1 : 0;
        }

        /** Afterwards. */
        @Arbiter
        public void after(II_Result r) {
            r.r1 = taken;
            r.r2 = done;
        }
    }
}
