package dev.cowherd.check;

/** Adds up faults and passes their lines on. Belongs to the thread that runs the check. */
final class Findings {
    private final CheckListener listener;
    private long corruptions;
    private long leaks;
    private long checkErrors;
    private long corruptionsFixed;
    private long leaksFixed;

    /** How many faults there were at some point. */
    record Mark(long corruptions, long leaks) {}

    Findings(CheckListener listener) {
        this.listener = listener;
    }

    void corruption(String line) {
        corruptions(1, line);
    }

    /** One line for a fault that counts several times, because several tables share the entry. */
    void corruptions(long times, String line) {
        corruptions += times;
        listener.found(line);
    }

    void leak(String line) {
        leaks++;
        listener.found(line);
    }

    void checkError(String line) {
        checkErrors++;
        listener.found(line);
    }

    /** A line that counts as nothing by itself. */
    void note(String line) {
        listener.found(line);
    }

    void fixedCorruptions(long times) {
        corruptionsFixed += times;
    }

    void fixedLeaks(long times) {
        leaksFixed += times;
    }

    Mark mark() {
        return new Mark(corruptions, leaks);
    }

    /** Forgets the faults found since, because they are found again. */
    void backTo(Mark mark) {
        corruptions = mark.corruptions();
        leaks = mark.leaks();
    }

    /** Forgets all faults, because everything is looked at again; what was repaired stays. */
    void forget() {
        corruptions = 0;
        leaks = 0;
        checkErrors = 0;
    }

    /** Adds corruptions that were told elsewhere. */
    void alsoCorrupt(long times) {
        corruptions += times;
    }

    long corruptionsFixed() {
        return corruptionsFixed;
    }

    long leaksFixed() {
        return leaksFixed;
    }

    long corruptions() {
        return corruptions;
    }

    long leaks() {
        return leaks;
    }

    long checkErrors() {
        return checkErrors;
    }

    static String hex(long value) {
        return Long.toHexString(value);
    }
}
