package dev.cowherd.proof;

import java.util.Locale;

/** Says once a minute how far a long run has come, how fast it is and what memory it takes; in a normal run nothing. Thread-safe. */
final class Progress {
    private static final long EVERY_NANOS = 60_000_000_000L;

    private final String suite;
    private final String things;
    private final long all;
    private final long start = System.nanoTime();
    private long done;
    private long said = start;

    /**
     * Begins now.
     *
     * @param suite the test
     * @param things what is counted
     * @param all how many there will be, or 0 if that is not known before
     */
    Progress(Class<?> suite, String things, long all) {
        this.suite = suite.getSimpleName();
        this.things = things;
        this.all = all;
    }

    /** Some more are done. */
    synchronized void add(long more) {
        done += more;
        long now = System.nanoTime();
        if (Lab.isLong() && now - said >= EVERY_NANOS) {
            said = now;
            System.out.println(line((now - start) / 1e9));
        }
    }

    private String line(double seconds) {
        Runtime memory = Runtime.getRuntime();
        double perSecond = done / seconds;
        String left = all == 0
                ? ""
                : String.format(Locale.ROOT, " of %,d, %.1f h to go", all, (all - done) / perSecond / 3600);
        return String.format(
                Locale.ROOT,
                "%s: %,d %s%s after %.0f min, %.1f a second, %d MiB of heap in use",
                suite,
                done,
                things,
                left,
                seconds / 60,
                perSecond,
                (memory.totalMemory() - memory.freeMemory()) >> 20);
    }
}
