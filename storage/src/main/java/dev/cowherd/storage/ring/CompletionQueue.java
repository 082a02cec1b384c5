package dev.cowherd.storage.ring;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;

/** The completions that the kernel has posted, oldest first. A place is given back as soon as it was taken. */
final class CompletionQueue {
    private static final VarHandle INT = JAVA_INT.varHandle();

    private final MemorySegment rings;
    private final long headAt;
    private final long tailAt;
    private final long entriesAt;
    private final int mask;
    private int head;

    /** Offsets are bytes into {@code rings}; the size is a power of two. */
    CompletionQueue(MemorySegment rings, long headAt, long tailAt, long entriesAt, int size) {
        this.rings = rings;
        this.headAt = headAt;
        this.tailAt = tailAt;
        this.entriesAt = entriesAt;
        this.mask = size - 1;
        this.head = (int) INT.getAcquire(rings, headAt);
    }

    int size() {
        return mask + 1;
    }

    /** Completions to be taken. */
    int ready() {
        return (int) INT.getAcquire(rings, tailAt) - head;
    }

    long userData() {
        return rings.get(JAVA_LONG, at());
    }

    int result() {
        return rings.get(JAVA_INT, at() + 8);
    }

    int flags() {
        return rings.get(JAVA_INT, at() + 12);
    }

    /** Gives the oldest one's place back to the kernel. */
    void advance() {
        head++;
        INT.setRelease(rings, headAt, head);
    }

    private long at() {
        return entriesAt + (head & mask) * Uapi.CQE_BYTES;
    }
}
