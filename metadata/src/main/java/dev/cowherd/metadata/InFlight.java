package dev.cowherd.metadata;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The ranges whose mapping is about to change: one change at a time for each guest cluster. Who finds a range taken waits for that
 * change to end and looks at the map again. Who holds a range waits for the host, and for what
 * only such hold as wait for the host (memory, a table that is loaded), never for a range: there is no circle to wait in.
 *
 * <p>Thread-safe; its monitor is held for a look at as many ranges as there are queues, never over I/O.
 */
final class InFlight {
    /** A range that one request has taken. */
    static final class Range {
        private final long first;
        private final long end;
        private final Signal ended = new Signal();

        private Range(long first, long end) {
            this.first = first;
            this.end = end;
        }
    }

    private final Waits waits;
    private final WaitEvent.For what;
    private final List<Range> ranges = new ArrayList<>();

    /** For guest clusters. */
    InFlight(Waits waits) {
        this(waits, WaitEvent.For.CLUSTERS);
    }

    InFlight(Waits waits, WaitEvent.For what) {
        this.waits = waits;
        this.what = what;
    }

    /**
     * Takes a range, or waits for those who have a part of it.
     *
     * @param first the first cluster (or table)
     * @param end the one past the last
     * @return the range, now the caller's to {@link #leave}; or null if the caller had to wait: what it knows of the map is old
     */
    @Nullable
    Range enterOrWait(long first, long end) {
        Range theirs = null;
        synchronized (this) {
            for (Range range : ranges) {
                if (first < range.end && range.first < end) {
                    theirs = range;
                    break;
                }
            }
            if (theirs == null) {
                Range mine = new Range(first, end);
                ranges.add(mine);
                return mine;
            }
        }
        theirs.ended.await(waits, what, theirs.first);
        return null;
    }

    /** The change is made, or given up. */
    void leave(Range range) {
        synchronized (this) {
            if (!ranges.remove(range)) {
                throw new IllegalStateException("clusters " + range.first + " to " + range.end + " are not in flight");
            }
        }
        range.ended.fire();
    }
}
