package dev.cowherd.check;

/** Adds up faults and passes their lines on. Belongs to the thread that runs the check. */
final class Findings {
    private final CheckListener listener;
    private long corruptions;
    private long leaks;
    private long checkErrors;

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
