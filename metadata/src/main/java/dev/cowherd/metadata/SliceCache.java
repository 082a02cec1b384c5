package dev.cowherd.metadata;

import org.jspecify.annotations.Nullable;

/**
 * The budget of L2 slices in memory, shared by all layers of a chain. When it is exceeded, slices go by the clock: the hand passes
 * those used since it last came by, and takes the first that was not. The slices that queues work with at that moment stay
 * usable for them.
 *
 * <p>Thread-safe. Its lock is taken for a miss only, after the slice was read; under it, the monitor of an index page.
 */
public final class SliceCache {
    private final long budgetBytes;
    private final Waits waits;

    private @Nullable Slice hand;
    private long bytes;
    private int count;

    /**
     * Creates an empty cache.
     *
     * @param budgetBytes how much memory slices may take, in bytes; the slice loaded last is kept whatever the budget
     */
    public SliceCache(long budgetBytes) {
        this(budgetBytes, Waits.PARK);
    }

    /**
     * Creates an empty cache whose users wait in their own way.
     *
     * @param budgetBytes as above
     * @param waits how a queue waits for a slice that another one loads
     */
    public SliceCache(long budgetBytes, Waits waits) {
        this.budgetBytes = budgetBytes;
        this.waits = waits;
    }

    Waits waits() {
        return waits;
    }

    /**
     * What the slices take now.
     *
     * @return bytes of memory
     */
    public synchronized long bytes() {
        return bytes;
    }

    /** Takes a loaded slice in and lets others go for it. */
    synchronized void admit(Slice slice) {
        // Just behind the hand: it comes to the new slice last.
        if (hand == null) {
            slice.next = slice;
            slice.previous = slice;
            hand = slice;
        } else {
            Slice before = at(hand.previous);
            slice.next = hand;
            slice.previous = before;
            before.next = slice;
            hand.previous = slice;
        }
        bytes += slice.costBytes();
        // Slices in use all the time must not keep the hand turning for ever: after two rounds it takes what comes, and
        // after
        // three it gives up, because those that are left are dirty.
        long patience = 2L * ++count;
        long end = -count;
        for (; bytes > budgetBytes && count > 1 && patience > end; patience--) {
            Slice candidate = hand;
            hand = at(candidate.next);
            if (candidate != slice && (!candidate.takeUsed() || patience <= 0) && candidate.tryEvict()) {
                drop(candidate);
            }
        }
    }

    /** Lets go of a slice that is of no use any more. */
    synchronized void forget(Slice slice) {
        if (slice.next != null && slice.tryEvict()) {
            if (slice == hand) {
                hand = slice.next == slice ? null : slice.next;
            }
            drop(slice);
        } else {
            slice.owner.evict(slice);
        }
    }

    private void drop(Slice slice) {
        at(slice.previous).next = slice.next;
        at(slice.next).previous = slice.previous;
        slice.next = null;
        slice.previous = null;
        bytes -= slice.costBytes();
        count--;
        slice.owner.evict(slice);
    }

    private static Slice at(@Nullable Slice linked) {
        if (linked == null) {
            throw new IllegalStateException("a slice of the clock without a neighbour");
        }
        return linked;
    }
}
