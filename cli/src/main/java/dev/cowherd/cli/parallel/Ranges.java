package dev.cowherd.cli.parallel;

import java.util.concurrent.atomic.AtomicLong;

/**
 * Hands out a disk's bytes in order, in ranges of one size, to any number of threads.
 *
 * <p>The ranges are large enough that a huge empty disk is walked in few steps, and small enough that the last one does
 * not leave the other threads idle for long.
 */
public final class Ranges {
    private static final long SMALLEST_BYTES = 2 << 20;
    private static final long LARGEST_BYTES = 64 << 20;

    private final long sizeBytes;
    private final long rangeBytes;
    private final AtomicLong next = new AtomicLong();

    /**
     * Ranges over a whole disk.
     *
     * @param sizeBytes the disk's size in bytes
     * @param threads how many threads share the work
     */
    public Ranges(long sizeBytes, int threads) {
        this.sizeBytes = sizeBytes;
        long share = sizeBytes / (threads * 16L);
        this.rangeBytes = Math.clamp(share / SMALLEST_BYTES * SMALLEST_BYTES, SMALLEST_BYTES, LARGEST_BYTES);
    }

    /**
     * Takes the next range.
     *
     * @return where it starts, in bytes, or -1 when all are taken
     */
    public long take() {
        long start = next.getAndAdd(rangeBytes);
        return start < sizeBytes ? start : -1;
    }

    /**
     * Where a range ends.
     *
     * @param start what {@link #take()} answered
     * @return the first byte after it
     */
    public long end(long start) {
        return start + Math.min(rangeBytes, sizeBytes - start);
    }
}
