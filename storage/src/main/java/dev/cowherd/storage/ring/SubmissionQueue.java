package dev.cowherd.storage.ring;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;

/**
 * The requests on their way to the kernel: filled in here, shown to it all at once by {@link #publish()}, taken by it inside
 * {@code io_uring_enter} only.
 */
final class SubmissionQueue {
    private static final VarHandle INT = JAVA_INT.varHandle();

    private final MemorySegment rings;
    private final MemorySegment entries;
    private final long headAt;
    private final long tailAt;
    private final long flagsAt;
    private final int mask;
    private int tail;

    /** Offsets are bytes into {@code rings}; the count of entries is a power of two. */
    SubmissionQueue(MemorySegment rings, MemorySegment entries, long headAt, long tailAt, long flagsAt) {
        this.rings = rings;
        this.entries = entries;
        this.headAt = headAt;
        this.tailAt = tailAt;
        this.flagsAt = flagsAt;
        this.mask = (int) (entries.byteSize() / Uapi.SQE_BYTES) - 1;
        this.tail = (int) INT.getAcquire(rings, tailAt);
    }

    /** Requests that the kernel has not taken yet. */
    int pending() {
        return tail - (int) INT.getAcquire(rings, headAt);
    }

    boolean isFull() {
        return pending() > mask;
    }

    /**
     * Adds a request; there is room. The words are those of the kernel's structure: operation, flags and descriptor; offset;
     * address; length and the operation's flags; user data; buffer index.
     */
    void add(long what, long offset, long address, long lengthAndFlags, long userData, long bufferIndex) {
        long at = (tail & mask) * Uapi.SQE_BYTES;
        entries.set(JAVA_LONG, at, what);
        entries.set(JAVA_LONG, at + 8, offset);
        entries.set(JAVA_LONG, at + 16, address);
        entries.set(JAVA_LONG, at + 24, lengthAndFlags);
        entries.set(JAVA_LONG, at + 32, userData);
        entries.set(JAVA_LONG, at + 40, bufferIndex);
        entries.set(JAVA_LONG, at + 48, 0);
        entries.set(JAVA_LONG, at + 56, 0);
        tail++;
    }

    /** Shows the kernel all that was added: how many it may take. */
    int publish() {
        INT.setRelease(rings, tailAt, tail);
        return pending();
    }

    /** Whether the kernel holds completions that did not fit. */
    boolean hasOverflow() {
        return (flags() & Uapi.SQ_CQ_OVERFLOW) != 0;
    }

    /** Whether the kernel has completions that it will only finish inside {@code io_uring_enter}. */
    boolean needsEnter() {
        return (flags() & (Uapi.SQ_CQ_OVERFLOW | Uapi.SQ_TASKRUN)) != 0;
    }

    private int flags() {
        return (int) INT.getAcquire(rings, flagsAt);
    }
}
