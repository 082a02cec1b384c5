package dev.cowherd.metadata;

import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * The free host clusters that are known, as runs that do not touch, found by place and by length. Not thread-safe: the allocator's
 * mutex guards it.
 */
final class FreeRuns {
    private final TreeMap<Long, Long> lengthByStart = new TreeMap<>();
    private final TreeMap<Long, TreeSet<Long>> startsByLength = new TreeMap<>();
    private long clusters;

    /** How many clusters there are in all runs. */
    long clusters() {
        return clusters;
    }

    /** Takes clusters in, none of which is known as free yet. */
    void add(long start, long length) {
        long from = start;
        long end = start + length;
        Map.Entry<Long, Long> before = lengthByStart.lowerEntry(start);
        if (before != null) {
            long beforeEnd = before.getKey() + before.getValue();
            if (beforeEnd > start) {
                throw new IllegalStateException("cluster " + start + " is freed twice");
            }
            if (beforeEnd == start) {
                from = before.getKey();
                forget(from, before.getValue());
            }
        }
        Map.Entry<Long, Long> after = lengthByStart.ceilingEntry(start);
        if (after != null) {
            if (after.getKey() < end) {
                throw new IllegalStateException("cluster " + after.getKey() + " is freed twice");
            }
            if (after.getKey() == end) {
                end += after.getValue();
                forget(after.getKey(), after.getValue());
            }
        }
        remember(from, end - from);
    }

    /** The start of the shortest run of at least so many clusters, the lowest of them; or -1. */
    long atLeast(long length) {
        Map.Entry<Long, TreeSet<Long>> fitting = startsByLength.ceilingEntry(length);
        return fitting == null ? -1 : fitting.getValue().first();
    }

    /** The start of the longest run, or -1 if there is none. */
    long longest() {
        Map.Entry<Long, TreeSet<Long>> longest = startsByLength.lastEntry();
        return longest == null ? -1 : longest.getValue().first();
    }

    /** How long the run is that starts there. */
    long lengthAt(long start) {
        Long length = lengthByStart.get(start);
        if (length == null) {
            throw new IllegalStateException("no free run starts at cluster " + start);
        }
        return length;
    }

    /** Takes the first clusters of a run out. */
    void take(long start, long length) {
        long had = lengthAt(start);
        forget(start, had);
        if (length < had) {
            remember(start + length, had - length);
        }
    }

    private void remember(long start, long length) {
        lengthByStart.put(start, length);
        startsByLength.computeIfAbsent(length, key -> new TreeSet<>()).add(start);
        clusters += length;
    }

    private void forget(long start, long length) {
        lengthByStart.remove(start);
        @Nullable TreeSet<Long> starts = startsByLength.get(length);
        if (starts == null || !starts.remove(start)) {
            throw new IllegalStateException("the free run at cluster " + start + " is not known by its length");
        }
        if (starts.isEmpty()) {
            startsByLength.remove(length);
        }
        clusters -= length;
    }
}
