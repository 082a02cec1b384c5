package dev.cowherd.storage.fiber;

import dev.cowherd.storage.Errno;
import dev.cowherd.storage.ring.Completions;
import dev.cowherd.storage.ring.Ring;
import java.io.IOException;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/** What becomes of a loop's requests when its ring fails: all are taken back, so that whoever waits for them goes on. */
final class RingFailure {
    /** The result of all that is asked of a ring that has failed. */
    static final int RESULT = -Errno.EIO.number();
    /** ECANCELED. */
    private static final int TAKEN_BACK = 125;

    private static final long FIRST_PAUSE_NANOS = 1_000_000;
    private static final long LONGEST_PAUSE_NANOS = 1_000_000_000;

    private final Ring ring;
    private volatile @Nullable IOException why;
    private boolean takenBack;

    RingFailure(Ring ring) {
        this.ring = ring;
    }

    /** It has failed; what came first counts. */
    void is(IOException e) {
        if (why == null) {
            why = e;
        }
    }

    /** Null while all is well. */
    @Nullable
    IOException why() {
        return why;
    }

    /**
     * Once: ends all that the ring has. As long as the kernel fails that, too, nobody goes on: it may still write to the buffers that they would
     * free, and to the clusters that they would let go of. Answers whether this was the time.
     */
    boolean takeBack(Completions completions) {
        if (takenBack) {
            return false;
        }
        long pause = FIRST_PAUSE_NANOS;
        boolean interrupted = false;
        while (!takenBack) {
            try {
                ring.takeBack(completions);
                takenBack = true;
            } catch (IOException e) {
                LockSupport.parkNanos(this, pause);
                interrupted |= Thread.interrupted();
                pause = Math.min(2 * pause, LONGEST_PAUSE_NANOS);
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        return true;
    }

    /** What a request has come to: for its own part, one that was taken back failed as the ring did. */
    int resultOf(int result) {
        return tookBack(result) ? RESULT : result;
    }

    /** Whether the request with that result ended before the kernel began it. */
    boolean tookBack(int result) {
        return result == -TAKEN_BACK && why != null;
    }
}
