package dev.cowherd.storage.ring;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The requests between {@link #begin} and their last completion: their callers' tokens, and their buffers, so that no
 * garbage collection frees what the kernel still uses. Each has a slot; what the kernel carries for it is the slot and a count of
 * its uses, so a completion that nobody waits for is noticed.
 */
final class InFlight {
    /** More requests at once than any user has reason for: a user that never takes completions ends here. */
    static final int MOST = 1 << 17;

    private static final int FIRST_SLOTS = 64;

    private long[] tokens = new long[FIRST_SLOTS];
    private int[] uses = new int[FIRST_SLOTS];
    private @Nullable Completions[] receivers = new Completions[FIRST_SLOTS];
    private @Nullable MemorySegment[] held = new MemorySegment[FIRST_SLOTS];
    private @Nullable MemorySegment[][] heldLists = new MemorySegment[FIRST_SLOTS][];
    private int[] free = new int[FIRST_SLOTS];
    private int freeCount;

    InFlight() {
        release(0, FIRST_SLOTS);
    }

    private void release(int from, int to) {
        for (int slot = to - 1; slot >= from; slot--) {
            free[freeCount++] = slot;
        }
    }

    int count() {
        return tokens.length - freeCount;
    }

    /** Takes a slot: what the kernel is to carry. */
    long begin(long token, @Nullable MemorySegment buffer, @Nullable Completions receiver) {
        if (freeCount == 0) {
            grow();
        }
        int slot = free[--freeCount];
        tokens[slot] = token;
        held[slot] = buffer;
        receivers[slot] = receiver;
        uses[slot]++;
        return request(slot);
    }

    /** Keeps several buffers for a request that has begun. The array stays the caller's. */
    void hold(long request, MemorySegment[] buffers, int count) {
        int slot = slot(request);
        MemorySegment[] list = heldLists[slot];
        if (list == null || list.length < count) {
            list = new MemorySegment[Math.max(count, 2)];
            heldLists[slot] = list;
        }
        System.arraycopy(buffers, 0, list, 0, count);
    }

    private void grow() {
        int slots = tokens.length;
        if (slots == MOST) {
            throw new IllegalStateException(MOST + " requests are in flight on one ring: take completions first");
        }
        tokens = Arrays.copyOf(tokens, slots * 2);
        uses = Arrays.copyOf(uses, slots * 2);
        receivers = Arrays.copyOf(receivers, slots * 2);
        held = Arrays.copyOf(held, slots * 2);
        heldLists = Arrays.copyOf(heldLists, slots * 2);
        free = new int[slots * 2];
        release(slots, slots * 2);
    }

    private long request(int slot) {
        // The highest bit stays free, so that no request looks like an error.
        return (long) (uses[slot] & Integer.MAX_VALUE) << Integer.SIZE | slot;
    }

    /** The slot of a request that is in flight. */
    int slot(long request) {
        int slot = (int) request;
        if (slot < 0 || slot >= tokens.length || request(slot) != request) {
            throw new IllegalStateException("a completion came for a request that is not in flight: " + request);
        }
        return slot;
    }

    long token(int slot) {
        return tokens[slot];
    }

    /** Who takes the completions; null for whoever makes the turn. */
    @Nullable
    Completions receiver(int slot) {
        return receivers[slot];
    }

    /** Lets a slot and its buffers go: the last completion came. */
    void end(int slot) {
        uses[slot]++;
        held[slot] = null;
        receivers[slot] = null;
        MemorySegment[] list = heldLists[slot];
        if (list != null) {
            Arrays.fill(list, null);
        }
        free[freeCount++] = slot;
    }

    /** All requests in flight, as of now. */
    long[] requests() {
        boolean[] idle = new boolean[tokens.length];
        for (int i = 0; i < freeCount; i++) {
            idle[free[i]] = true;
        }
        long[] requests = new long[count()];
        int found = 0;
        for (int slot = 0; slot < idle.length; slot++) {
            if (!idle[slot]) {
                requests[found++] = request(slot);
            }
        }
        return requests;
    }
}
