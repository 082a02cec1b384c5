package dev.cowherd.testkit.lab;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/** Says who takes the next step. One chooser serves one run at a time. */
abstract class Chooser {
    private final List<Integer> taken = new ArrayList<>();

    /**
     * Picks among the workers that can go on.
     *
     * @param able their numbers, at least one; the worker that ran last comes first if it is among them
     * @param currentAble whether it is: then every other choice interrupts it
     */
    final int choose(int[] able, boolean currentAble) {
        if (able.length == 1) {
            return able[0];
        }
        int index = pick(able.length, currentAble);
        taken.add(index);
        return able[index];
    }

    /** Picks an index; called only where there is a choice. */
    abstract int pick(int count, boolean currentAble);

    /** The choices of this run, which {@link #replaying} repeats. */
    final String choices() {
        StringBuilder text = new StringBuilder();
        for (int index : taken) {
            text.append(text.isEmpty() ? "" : ",").append(index);
        }
        return text.toString();
    }

    static Chooser replaying(String choices) {
        List<Integer> given = new ArrayList<>();
        for (String one : choices.isEmpty() ? new String[0] : choices.split(",", -1)) {
            given.add(Integer.parseInt(one.strip()));
        }
        return new Chooser() {
            private int next;

            @Override
            int pick(int count, boolean currentAble) {
                return next < given.size() ? Math.min(given.get(next++), count - 1) : 0;
            }
        };
    }

    /** Draws: how often it interrupts a worker is drawn once a run, so that long stretches and short ones both come up. */
    static Chooser drawing(long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        double staying = new double[] {0, 0.5, 0.75, 0.9}[random.nextInt(4)];
        return new Chooser() {
            @Override
            int pick(int count, boolean currentAble) {
                return currentAble && random.nextDouble() < staying ? 0 : random.nextInt(count);
            }
        };
    }

    /** All runs in turn that interrupt a worker at most so often. */
    static final class Exhaustive {
        private final int bound;
        private final List<Point> path = new ArrayList<>();

        /** One choice on the way: the index taken, how many there were, and the interruptions before it. */
        private record Point(int index, int count, boolean currentAble, int interruptions) {}

        Exhaustive(int bound) {
            this.bound = bound;
        }

        /** The chooser of the next run; it repeats the path found by {@link #advance} and goes on without interrupting. */
        Chooser next() {
            List<Point> prefix = List.copyOf(path);
            path.clear();
            return new Chooser() {
                private int interruptions;

                @Override
                int pick(int count, boolean currentAble) {
                    int at = path.size();
                    int index = at < prefix.size() ? prefix.get(at).index : 0;
                    if (at < prefix.size() && (prefix.get(at).count != count)) {
                        throw new IllegalStateException("the scenario does not repeat itself: choice " + at
                                + " was among " + prefix.get(at).count + " workers and is now among " + count);
                    }
                    path.add(new Point(index, count, currentAble, interruptions));
                    interruptions += currentAble && index > 0 ? 1 : 0;
                    return index;
                }
            };
        }

        /** Moves on to the next path: false when all have been run. */
        boolean advance() {
            while (!path.isEmpty()) {
                Point last = path.removeLast();
                int after = last.interruptions + (last.currentAble ? 1 : 0);
                if (last.index + 1 < last.count && after <= bound) {
                    path.add(new Point(last.index + 1, last.count, last.currentAble, last.interruptions));
                    return true;
                }
            }
            return false;
        }
    }
}
