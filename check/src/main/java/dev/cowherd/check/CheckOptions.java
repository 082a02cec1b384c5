package dev.cowherd.check;

/**
 * How to check.
 *
 * @param threads how many threads work, 1 or more
 * @param memoryBytes the most memory for reference counts in bytes; an image that needs more is refused
 */
public record CheckOptions(int threads, long memoryBytes) {
    /** Refuses numbers that make no sense. */
    public CheckOptions {
        if (threads < 1 || memoryBytes < 1) {
            throw new IllegalArgumentException("threads " + threads + ", memory " + memoryBytes);
        }
    }

    /**
     * All cores, and half of the heap for counts.
     *
     * @return the usual options
     */
    public static CheckOptions defaults() {
        Runtime runtime = Runtime.getRuntime();
        return new CheckOptions(runtime.availableProcessors(), runtime.maxMemory() / 2);
    }
}
