package dev.cowherd.testkit.lab;

/**
 * What one request did to one sector, or may have done. Times are numbers in the order in which the model was told of
 * things; {@link #NEVER} is later than all.
 */
final class Version {
    static final long NEVER = Long.MAX_VALUE;

    final long stamp;
    final long begun;
    final long begunInstant;

    /** Whether the request may succeed without any effect, as a discard. */
    final boolean optional;

    long ended = NEVER;
    boolean succeeded;

    /** When a read that saw this value had ended. */
    long seen = NEVER;

    /** When it became sure that another value had come after this one although the two requests had overlapped; and that value. */
    long buried = NEVER;

    @org.jspecify.annotations.Nullable
    Version buriedBy;

    Version(long stamp, boolean optional, long begun, long begunInstant) {
        this.stamp = stamp;
        this.optional = optional;
        this.begun = begun;
        this.begunInstant = begunInstant;
    }

    /** From when on the value was surely there. */
    long applied() {
        return Math.min(seen, succeeded && !optional ? ended : NEVER);
    }

    /** Whether no read that begins at a time may see this value any more because of another one. */
    boolean isHiddenBy(Version other, long readBegun) {
        return other != this && other.begun > ended && other.applied() < readBegun;
    }

    /** Whether a flush that began at a time, and succeeded, has made this value durable, unless a later one came. */
    boolean isDurableBy(long flushBegun) {
        return ended < flushBegun && applied() != NEVER;
    }

    @Override
    public String toString() {
        return (stamp == 0 ? "zeros" : "stamp " + stamp)
                + " (begun " + begun
                + (ended == NEVER ? ", in flight" : (succeeded ? ", ended " : ", failed ") + ended)
                + (optional ? ", optional" : "")
                + ")";
    }
}
