package dev.cowherd.metadata;

import java.io.IOException;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Mode;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.Signal;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.III_Result;
import org.openjdk.jcstress.infra.results.II_Result;
import org.openjdk.jcstress.infra.results.Z_Result;

/** Slices in the index: one for each number, found filled, never lost to an eviction or with their page. */
public final class SliceIndexStress {
    private SliceIndexStress() {}

    private static Slice filled(SliceIndex index, long number) {
        return new Slice(index, number, 7, 0, new long[] {5, 6});
    }

    private static Slice get(SliceIndex index, long number, SliceIndex.Loader loader) {
        try {
            return index.get(number, loader);
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Who finds a slice without a lock finds its content. */
    @JCStressTest
    @Outcome(id = "0, 0, 0", expect = Expect.ACCEPTABLE, desc = "Not there yet.")
    @Outcome(id = "5, 6, 7", expect = Expect.ACCEPTABLE, desc = "There, with its content.")
    @Outcome(expect = Expect.FORBIDDEN, desc = "There without its content.")
    @State
    public static class FoundSliceIsFilled {
        private final SliceIndex index = new SliceIndex(new SliceCache(1 << 20), 4, 2);

        /** Who loads it. */
        @Actor
        public void load() {
            get(index, 1, number -> filled(index, number));
        }

        /** Who looks it up. */
        @Actor
        public void lookUp(III_Result r) {
            Slice slice = index.cached(1);
            if (slice != null) {
                r.r1 = (int) slice.word(0);
                r.r2 = (int) slice.word(1);
                r.r3 = (int) slice.tableOffset;
            }
        }
    }

    /** Two that need the same slice get the same one, loaded once. */
    @JCStressTest
    @Outcome(id = "true", expect = Expect.ACCEPTABLE, desc = "One load, one slice.")
    @Outcome(id = "false", expect = Expect.FORBIDDEN, desc = "Two slices of one number.")
    @State
    public static class OneLoadForTwo {
        private final SliceIndex index = new SliceIndex(new SliceCache(1 << 20), 4, 2);
        private final AtomicInteger loads = new AtomicInteger();
        private Slice first;
        private Slice second;

        private Slice load(long number) {
            loads.incrementAndGet();
            return filled(index, number);
        }

        /** One queue. */
        @Actor
        public void one() {
            first = get(index, 1, this::load);
        }

        /** Another one. */
        @Actor
        public void two() {
            second = get(index, 1, this::load);
        }

        /** The same slice. */
        @Arbiter
        public void both(Z_Result r) {
            r.r1 = first == second && first == index.cached(1) && loads.get() == 1;
        }
    }

    /** A slice that comes into a page whose last one goes is found by those who come later. */
    @JCStressTest
    @Outcome(id = "true", expect = Expect.ACCEPTABLE, desc = "It is in the index.")
    @Outcome(
            id = "false",
            expect = Expect.FORBIDDEN,
            desc = "It went with its page: the next who asks loads a second one.")
    @State
    public static class ComesAsItsPageGoes {
        private final SliceCache cache = new SliceCache(1 << 20);
        private final SliceIndex index = new SliceIndex(cache, 4, 2);
        private final Slice only = get(index, 0, number -> filled(index, number));
        private Slice came;

        /** The page's last slice goes. */
        @Actor
        public void forget() {
            cache.forget(only);
        }

        /** Another one comes. */
        @Actor
        public void come() {
            came = get(index, 1, number -> filled(index, number));
        }

        /** It must be there. */
        @Arbiter
        public void there(Z_Result r) {
            r.r1 = index.cached(1) == came;
        }
    }

    /** A change survives an eviction at the same time: it finds the slice that counts. */
    @JCStressTest
    @Outcome(
            id = {"9, 0", "9, 1"},
            expect = Expect.ACCEPTABLE,
            desc = "The change is in the slice that look-ups find.")
    @Outcome(expect = Expect.FORBIDDEN, desc = "The change is lost.")
    @State
    public static class ChangeAgainstEvictionAndReload {
        private final SliceCache cache = new SliceCache(1);
        private final SliceIndex index = new SliceIndex(cache, 4, 2);
        private final Slice loaded = get(index, 0, number -> filled(index, number));

        /** As the map's writers do it. */
        @Actor
        public void change() {
            while (true) {
                Slice slice = get(index, 0, number -> filled(index, number));
                synchronized (slice) {
                    if (!slice.isEvicted()) {
                        slice.set(0, 9);
                        slice.markDirty(List.of());
                        return;
                    }
                }
                cache.forget(slice);
            }
        }

        /** Another slice comes, and there is room for one. */
        @Actor
        public void evict(II_Result r) {
            get(index, 1, number -> filled(index, number));
        }

        /** What look-ups find. */
        @Arbiter
        public void found(II_Result r) {
            Slice slice = index.cached(0);
            r.r1 = slice == null ? 0 : (int) slice.word(0);
            r.r2 = slice == loaded ? 0 : 1;
        }
    }

    /** Who looks again and again finds what came in the end. */
    @JCStressTest(Mode.Termination)
    @Outcome(id = "TERMINATED", expect = Expect.ACCEPTABLE, desc = "Found.")
    @Outcome(id = "STALE", expect = Expect.FORBIDDEN, desc = "Never found: the look-up reads an old slot for ever.")
    @State
    public static class LookUpFindsItInTheEnd {
        private final SliceIndex index = new SliceIndex(new SliceCache(1 << 20), 4, 2);

        public LookUpFindsItInTheEnd() {
            get(index, 0, number -> filled(index, number));
        }

        /** Looks until it is there. */
        @Actor
        public void lookUp() {
            while (index.cached(1) == null) {}
        }

        /** Loads it. */
        @Signal
        public void load() {
            get(index, 1, number -> filled(index, number));
        }
    }
}
