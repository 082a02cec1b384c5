package dev.cowherd.testkit.lab;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;

/**
 * The states that disks may be in after a power cut, for every instant of a recorded run.
 *
 * <p>At each instant, what was written before the last barrier is there. Of the changes since then any subset may have landed: all
 * subsets are tried where they are few, else as many drawn ones; further states tear writes at 512 bytes. Where there are more states
 * than asked for, instants are drawn instead, one with more changes under way more often. Immutable; for one thread at a time.
 */
public final class CrashStates {
    /** How often a state is drawn again that was shown at the same cut before. */
    private static final int TRIES = 20;

    /** From so many states of one cut on, none and all of the changes are among them. */
    private static final int SOME = 4;

    /** How likely a change is to have landed, in drawn states: few, many, or all of them, which is what a killed process leaves. */
    private static final double[] LANDING = {0.1, 0.1, 0.5, 0.5, 0.5, 0.9, 0.9, 1};

    private final Power power;
    private final long from;
    private final long seed;
    private final long budget;
    private final long only;

    private CrashStates(Power power, long from, long seed, long budget, long only) {
        this.power = power;
        this.from = from;
        this.seed = seed;
        this.budget = budget;
        this.only = only;
    }

    /**
     * All states of a run, drawn ones by seed 0.
     *
     * @param power the diary of the run
     * @return the states
     */
    public static CrashStates of(Power power) {
        return new CrashStates(power, 0, 0, Long.MAX_VALUE, -1);
    }

    /**
     * Leaves out the cuts before an instant.
     *
     * @param instant the first cut, as {@link Power#now()} said it
     * @return the states
     */
    public CrashStates from(long instant) {
        return new CrashStates(power, instant, seed, budget, only);
    }

    /**
     * Draws by another seed.
     *
     * @param otherSeed any number
     * @return the states
     */
    public CrashStates withSeed(long otherSeed) {
        return new CrashStates(power, from, otherSeed, budget, only);
    }

    /**
     * Bounds the number of states. A run with more of them shows as many as asked for, of drawn cuts: few states of every cut would
     * be little else than "nothing landed" and "all of it landed", which hold no order to break.
     *
     * @param states how many at most
     * @return the states
     */
    public CrashStates atMost(long states) {
        return new CrashStates(power, from, seed, states, only);
    }

    /**
     * One state alone, to look at a failure again.
     *
     * @param number the state's number in the failed run with the same seed and bounds
     * @return the states
     */
    public CrashStates only(long number) {
        return new CrashStates(power, from, seed, budget, number);
    }

    /** Judges one state. */
    @FunctionalInterface
    public interface Judge {
        /**
         * Fails by throwing.
         *
         * @param state the disks, free to be written
         * @throws Exception if the state is wrong
         */
        void judge(CrashState state) throws Exception;
    }

    /**
     * Shows each state to a judge.
     *
     * @param judge called once a state
     * @return how many states were judged
     * @throws AssertionError at the first one that the judge fails, with what replays it
     */
    public long forEach(Judge judge) {
        return new Walk(judge).run();
    }

    /** A change that may have landed; fixed if a barrier made it sure. */
    private static final class Pending {
        final Change change;
        boolean fixed;
        boolean orphan;

        Pending(Change change) {
            this.change = change;
        }
    }

    /** How a free change fares in one state. */
    private enum Fate {
        LOST,
        LANDED,
        TORN
    }

    /** One run through the diary. */
    private final class Walk {
        private final Judge judge;
        private final List<Change> diary = power.diary();
        private final List<Power.Disk> disks = power.disks();
        private final List<Pages> durable = new ArrayList<>();
        private final List<Pending> pending = new ArrayList<>();
        private final SplittableRandom random = new SplittableRandom(seed);
        private final CutShares shares = new CutShares();
        private long number;
        private long judged;

        Walk(Judge judge) {
            this.judge = judge;
            for (Power.Disk disk : disks) {
                durable.add(disk.before().copy());
            }
        }

        long run() {
            forEachCut(false, cut -> shares.add(cut >= from ? free() : null));
            shares.divide(budget, random);
            pending.clear();
            forEachCut(true, cut -> {
                if (cut >= from) {
                    cut(cut, shares.of(cut));
                }
            });
            if (only >= 0 && judged == 0) {
                throw new AssertionError(
                        "there is no state " + only + " among " + number + " with this seed and these bounds");
            }
            return judged;
        }

        private void forEachCut(boolean landing, IntConsumer visitor) {
            for (int cut = 0; cut <= diary.size(); cut++) {
                if (cut > 0) {
                    happen(diary.get(cut - 1), landing);
                }
                visitor.accept(cut);
            }
        }

        /** What may or may not have landed by now. */
        private List<Change> free() {
            return pending.stream().filter(p -> !p.fixed).map(p -> p.change).toList();
        }

        private void happen(Change change, boolean landing) {
            switch (change) {
                case Change.Barrier(int disk) -> settle(disk, landing);
                case Change.FailedBarrier(int disk) ->
                    pending.stream()
                            .filter(p -> p.change.disk() == disk && !p.fixed)
                            .forEach(p -> p.orphan = true);
                case Change.Write _, Change.Zero _, Change.Resize _ -> pending.add(new Pending(change));
            }
        }

        /** What lies behind an orphan in the diary stays in the list, so that it is applied after it. */
        private void settle(int disk, boolean landing) {
            boolean orphans = false;
            for (Pending one : pending) {
                if (one.change.disk() == disk) {
                    one.fixed |= !one.orphan;
                    orphans |= one.orphan;
                }
            }
            if (!orphans) {
                for (Pending one : pending) {
                    if (landing && one.change.disk() == disk) {
                        land(one.change, durable.get(disk));
                    }
                }
                pending.removeIf(p -> p.change.disk() == disk);
            }
        }

        private void cut(int cut, CutShares.Share share) {
            List<Change> free = free();
            int count = free.size();
            if (share.subsets()) {
                for (long set = 0; set < 1L << count; set++) {
                    Fate[] fates = new Fate[count];
                    for (int i = 0; i < count; i++) {
                        fates[i] = (set >> i & 1) == 1 ? Fate.LANDED : Fate.LOST;
                    }
                    show(cut, free, fates);
                }
                for (int i = 0; i < share.drawn(); i++) {
                    show(cut, free, torn(free));
                }
                return;
            }
            Set<List<Fate>> shown = new HashSet<>();
            long ends = share.drawn() < SOME ? 0 : 2;
            for (long i = 0; i < ends; i++) {
                Fate[] fates = new Fate[count];
                Arrays.fill(fates, i == 0 ? Fate.LOST : Fate.LANDED);
                shown.add(List.of(fates));
                show(cut, free, fates);
            }
            for (long i = ends; i < share.drawn(); i++) {
                Fate[] fates = drawn(free, random.nextInt(3) == 0 ? 0.3 : 0);
                for (int again = 0; again < TRIES && !isNew(fates, shown); again++) {
                    fates = drawn(free, 0);
                }
                show(cut, free, fates);
            }
        }

        /** Some, one of them at least. */
        private Fate[] torn(List<Change> free) {
            Fate[] fates = drawn(free, 0.5);
            int[] tearable = IntStream.range(0, fates.length)
                    .filter(i -> CutShares.canTear(free.get(i)))
                    .toArray();
            fates[tearable[random.nextInt(tearable.length)]] = Fate.TORN;
            return fates;
        }

        /** Torn ones are, because no two tears are alike. */
        private boolean isNew(Fate[] fates, Set<List<Fate>> shown) {
            List<Fate> list = List.of(fates);
            return shown.add(list) || list.contains(Fate.TORN);
        }

        private Fate[] drawn(List<Change> free, double tearing) {
            double landing = LANDING[random.nextInt(LANDING.length)];
            Fate[] fates = new Fate[free.size()];
            for (int i = 0; i < fates.length; i++) {
                fates[i] = random.nextDouble() < landing ? Fate.LANDED : Fate.LOST;
                if (CutShares.canTear(free.get(i)) && random.nextDouble() < tearing) {
                    fates[i] = Fate.TORN;
                }
            }
            return fates;
        }

        private void show(int cut, List<Change> free, Fate[] fates) {
            long mine = number++;
            SplittableRandom tears = new SplittableRandom(seed ^ mine * 0x9e3779b97f4a7c15L);
            if (only >= 0 && only != mine) {
                return;
            }
            List<Pages> contents = durable.stream().map(Pages::copy).toList();
            int next = 0;
            for (Pending one : pending) {
                Pages pages = contents.get(one.change.disk());
                Fate fate = one.fixed ? Fate.LANDED : fates[next++];
                if (fate == Fate.LANDED) {
                    land(one.change, pages);
                } else if (fate == Fate.TORN) {
                    ((Change.Write) one.change).tearOn(pages, tears);
                }
            }
            Power again = new Power();
            List<SimStorage> shown = new ArrayList<>();
            for (int i = 0; i < disks.size(); i++) {
                shown.add(new SimStorage(disks.get(i).name(), again, contents.get(i)));
            }
            CrashState state = new CrashState(cut, mine, shown, describe(cut, free, fates));
            try {
                judge.judge(state);
            } catch (Exception | AssertionError e) {
                throw new AssertionError(
                        "crash state " + mine + " of seed " + seed + " (.from(" + from + ").withSeed(" + seed + "L)"
                                + (budget == Long.MAX_VALUE ? "" : ".atMost(" + budget + ")") + ".only(" + mine + ")): "
                                + state.description() + ": " + e,
                        e);
            }
            judged++;
        }

        private String describe(int cut, List<Change> free, Fate[] fates) {
            StringBuilder text = new StringBuilder("cut after " + cut + " of " + diary.size() + " changes; ");
            if (free.isEmpty()) {
                return text.append("nothing pending").toString();
            }
            for (int i = 0; i < fates.length; i++) {
                text.append(i == 0 ? "" : ", ").append(fates[i]).append(' ').append(free.get(i));
            }
            return text.toString();
        }
    }

    private static void land(Change change, Pages pages) {
        switch (change) {
            case Change.Write write -> write.landOn(pages);
            case Change.Zero zero -> {
                if (zero.keep()) {
                    pages.grow(zero.offset() + zero.length());
                }
                pages.zero(zero.offset(), zero.length(), zero.keep());
            }
            case Change.Resize resize -> pages.resize(resize.sizeBytes());
            case Change.Barrier _, Change.FailedBarrier _ -> throw new IllegalStateException("a barrier does not land");
        }
    }
}
