package dev.cowherd.testkit.lab;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/**
 * How many states each cut of a run shows. Where the run has no more of them than asked for, all are shown: every subset of the changes
 * under way where these are few, else drawn ones, and some torn ones. Otherwise as many as asked for are divided by drawing, and a cut is
 * drawn the more often the more changes are under way: the states of one with none are told by its neighbours.
 */
final class CutShares {
    private static final int EXHAUSTIVE_UP_TO = 10;
    private static final int DRAWN = 256;
    private static final int TORN = 16;

    private final List<Cut> cuts = new ArrayList<>();
    private final List<Share> shares = new ArrayList<>();

    /** What one cut shows: all subsets or not, and so many drawn states beside them or instead. */
    record Share(boolean subsets, long drawn) {}

    /** One cut: how many changes are under way, and whether one of them can tear; none are where it is not to be shown. */
    private record Cut(boolean shown, int free, boolean tears) {
        Share all() {
            if (!shown) {
                return new Share(false, 0);
            }
            return free <= EXHAUSTIVE_UP_TO ? new Share(true, tears ? TORN : 0) : new Share(false, DRAWN);
        }

        long count() {
            Share all = all();
            return (all.subsets ? 1L << free : 0) + all.drawn;
        }

        /** How many drawn states may be of use: the longer lists of changes never run out of them. */
        long most() {
            return free <= EXHAUSTIVE_UP_TO ? count() : Long.MAX_VALUE;
        }

        long weight() {
            return shown ? 1L + free : 0;
        }
    }

    static boolean canTear(Change change) {
        return change instanceof Change.Write write && write.sectors() > 1;
    }

    /** Appends a cut; null for one that is not shown. */
    void add(@Nullable List<Change> free) {
        cuts.add(
                free == null
                        ? new Cut(false, 0, false)
                        : new Cut(true, free.size(), free.stream().anyMatch(CutShares::canTear)));
    }

    /** Decides all shares, so that they come to the budget, or to less where there are not so many states. */
    void divide(long budget, SplittableRandom random) {
        if (cuts.stream().mapToLong(Cut::count).sum() <= budget) {
            cuts.forEach(cut -> shares.add(cut.all()));
            return;
        }
        long weights = cuts.stream().mapToLong(Cut::weight).sum();
        long[] drawn = new long[cuts.size()];
        int at = 0;
        long passed = cuts.getFirst().weight();
        // One in each of as many equal parts of the run, so that no stretch of it is left out by chance.
        for (long i = 0; i < budget; i++) {
            double point = (i + random.nextDouble()) / budget * weights;
            while (point >= passed && at < cuts.size() - 1) {
                passed += cuts.get(++at).weight();
            }
            drawn[at]++;
        }
        divide(drawn);
    }

    /** What a cut has not to offer, the next ones show instead. */
    private void divide(long[] drawn) {
        long over = 0;
        for (int pass = 0; pass < 2; pass++) {
            for (int i = 0; i < drawn.length; i++) {
                Cut cut = cuts.get(i);
                long wanted = cut.shown ? drawn[i] + over : 0;
                drawn[i] = Math.min(wanted, cut.most());
                over = cut.shown ? wanted - drawn[i] : over;
            }
        }
        for (int i = 0; i < drawn.length; i++) {
            Cut cut = cuts.get(i);
            long subsets = cut.free <= EXHAUSTIVE_UP_TO ? 1L << cut.free : Long.MAX_VALUE;
            shares.add(
                    cut.shown && drawn[i] >= subsets
                            ? new Share(true, drawn[i] - subsets)
                            : new Share(false, drawn[i]));
        }
    }

    Share of(int cut) {
        return shares.get(cut);
    }
}
