package dev.cowherd.storage.ring;

import dev.cowherd.storage.Errno;
import dev.cowherd.storage.StorageException;
import dev.cowherd.storage.linux.RingCalls;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * The two queues of a ring and what is in flight between them. Here alone the kernel is entered, and EINTR, EAGAIN, EBUSY and
 * overflow of either queue end here.
 */
final class RingQueues {
    static final long NO_DEADLINE = Long.MAX_VALUE;
    private static final String NAME = "io_uring";

    /** How often in a row the kernel may be out of memory for a request, a millisecond each, before the ring gives up. */
    private static final int MOST_REFUSALS = 2000;

    private static final long REFUSAL_PAUSE_NANOS = 1_000_000;
    private static final long FIRST_DRAIN_NANOS = 10_000_000;
    private static final long LONGEST_DRAIN_NANOS = 1_000_000_000;
    /** Carried by requests of this class's own, whose completions nobody waits for. Others are not negative. */
    private static final long QUIET = -1;

    private final RingCalls calls;
    private final int fd;
    private final SubmissionQueue submissions;
    private final CompletionQueue completions;
    private final InFlight inFlight = new InFlight();
    private final Stash stash = new Stash();
    private final Arguments.Wait wait;
    private long enters;
    private boolean delivering;
    private boolean closing;

    RingQueues(RingCalls calls, RingMemory memory) {
        this.calls = calls;
        this.fd = memory.fd;
        this.submissions = memory.submissions();
        this.completions = memory.completions();
        this.wait = new Arguments.Wait(memory);
    }

    int inFlight() {
        return inFlight.count();
    }

    long enters() {
        return enters;
    }

    boolean hasPending() {
        return submissions.pending() > 0;
    }

    /** Adds a request; the words are {@link SubmissionQueue#add}'s. */
    long add(
            long what,
            long offset,
            long address,
            long lengthAndFlags,
            long bufferIndex,
            long token,
            @Nullable MemorySegment held,
            @Nullable Completions receiver)
            throws IOException {
        if (closing) {
            throw new IllegalStateException("the ring is being closed");
        }
        if (submissions.isFull()) {
            submit();
        }
        long request = inFlight.begin(token, held, receiver);
        submissions.add(what, offset, address, lengthAndFlags, request, bufferIndex);
        return request;
    }

    /** Keeps several buffers for a request that was just added. */
    void hold(long request, MemorySegment[] buffers, int count) {
        inFlight.hold(request, buffers, count);
    }

    void submit() throws IOException {
        if (hasPending()) {
            enter(0, 0, MemorySegment.NULL);
        }
    }

    /** Submits, waits for completions and delivers all there are: how many. */
    int turn(int least, long nanos, Completions handler) throws IOException {
        if (delivering) {
            throw new IllegalStateException("a handler of completions prepares requests; the turn is its caller's");
        }
        long start = nanos == NO_DEADLINE ? 0 : System.nanoTime();
        int wanted = Math.min(least, inFlight.count());
        int delivered = 0;
        while (true) {
            long left = nanos == NO_DEADLINE ? NO_DEADLINE : Math.max(0, nanos - (System.nanoTime() - start));
            // The kernel counts what it has posted and nobody has taken.
            int missing = Math.min(wanted - delivered - stash.count(), completions.size());
            boolean mustWait = completions.ready() < missing && left > 0;
            if (mustWait || hasPending() || submissions.needsEnter()) {
                boolean timed = mustWait && left != NO_DEADLINE;
                enter(
                        mustWait ? missing : 0,
                        Uapi.ENTER_GETEVENTS | (timed ? Uapi.ENTER_EXT_ARG : 0),
                        timed ? wait.of(left) : MemorySegment.NULL);
            }
            delivered += deliver(handler);
            boolean enough = delivered >= wanted || inFlight.count() == 0 || left == 0;
            if (enough && !submissions.hasOverflow()) {
                return delivered;
            }
        }
    }

    private int deliver(Completions handler) {
        delivering = true;
        try {
            int delivered = 0;
            for (int left = stash.count(); left > 0; left--) {
                long request = stash.userData();
                int result = stash.result();
                int flags = stash.flags();
                stash.advance();
                delivered += settle(request, result, flags, handler);
            }
            // A handler that prepares more than there is room for makes the ring stash what is still here.
            for (int left = completions.ready(); left > 0 && completions.ready() > 0; left--) {
                long request = completions.userData();
                int result = completions.result();
                int flags = completions.flags();
                completions.advance();
                delivered += settle(request, result, flags, handler);
            }
            return delivered;
        } finally {
            delivering = false;
        }
    }

    private int settle(long request, int result, int flags, Completions handler) {
        if (request == QUIET) {
            return 0;
        }
        int slot = inFlight.slot(request);
        long token = inFlight.token(slot);
        Completions receiver = inFlight.receiver(slot);
        if ((flags & Completions.MORE) == 0) {
            inFlight.end(slot);
        }
        (receiver == null ? handler : receiver).completed(token, result, flags);
        return 1;
    }

    /** Comes back when the kernel has taken all requests, and has waited once. */
    private void enter(int least, int flags, MemorySegment argument) throws IOException {
        int refusals = 0;
        do {
            long result = calls.enter(fd, submissions.publish(), least, flags, argument);
            enters++;
            if (result > 0) {
                refusals = 0;
            } else if (isCrowded(result)) {
                refusals++;
                makeRoom(refusals, (int) -result);
            } else if (result < 0 && !isInterrupted(result)) {
                throw failed((int) -result);
            }
        } while (hasPending());
    }

    private static boolean isCrowded(long result) {
        return result == -Errno.EAGAIN.number() || result == -Errno.EBUSY.number();
    }

    private static boolean isInterrupted(long result) {
        return result == -Errno.EINTR.number() || result == -Errno.ETIME.number();
    }

    /** The kernel lacks memory for requests, or keeps too many completions: takes those, and lets some time pass. */
    private void makeRoom(int refusals, int errno) throws IOException {
        if (refusals > MOST_REFUSALS) {
            throw failed(errno);
        }
        stash.fill(completions);
        int flags = Uapi.ENTER_GETEVENTS | Uapi.ENTER_EXT_ARG;
        long result = calls.enter(fd, 0, 1, flags, wait.of(REFUSAL_PAUSE_NANOS));
        enters++;
        if (result < 0 && !isCrowded(result) && !isInterrupted(result)) {
            throw failed((int) -result);
        }
    }

    private static StorageException failed(int errno) {
        return StorageException.of("io_uring_enter", NAME, -1, errno);
    }

    /** One io_uring_register(2), all prepared requests handed over before, for they may name what it changes. */
    void register(int operation, MemorySegment argument, int count) throws IOException {
        submit();
        long result = calls.register(fd, operation, argument, count);
        if (result < 0) {
            throw StorageException.of("io_uring_register", NAME, -1, (int) -result);
        }
    }

    /**
     * Takes all requests back and waits for each. A request that was just about to be tried again escapes being taken back, so
     * what is left is asked again after a while, longer each time.
     */
    void drain(Completions handler) throws IOException {
        long patience = FIRST_DRAIN_NANOS;
        closing = true;
        while (inFlight.count() > 0) {
            for (long request : inFlight.requests()) {
                if (submissions.isFull()) {
                    submit();
                }
                submissions.add(Uapi.OP_ASYNC_CANCEL | QUIET << Integer.SIZE, 0, request, 0, QUIET, 0);
            }
            turn(inFlight.count(), patience, handler);
            patience = Math.min(2 * patience, LONGEST_DRAIN_NANOS);
        }
    }
}
