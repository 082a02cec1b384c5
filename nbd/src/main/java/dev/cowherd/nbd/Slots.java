package dev.cowherd.nbd;

import java.lang.foreign.Arena;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The slots of one connection, bounded in number and in bytes: who gets none waits until one is free, so a client that asks for much and
 * takes little holds up itself. Slots are kept for use again, by sizes that are powers of two. Used by one thread.
 */
final class Slots {
    /** What the payloads of one connection may take; more than four of the largest pieces. */
    static final long MOST_BYTES = 10L << 20;

    private static final int SMALLEST_SHIFT = 12;
    private static final int SIZES = Integer.numberOfTrailingZeros(Protocol.PIECE_BYTES) - SMALLEST_SHIFT + 1;

    /** A slot and how its memory is freed. */
    private record Kept(Slot slot, Arena arena) {}

    private final int most;
    private final boolean structured;
    private final Sender sender;
    private final List<@Nullable Kept> all = new ArrayList<>();
    private final ArrayDeque<Integer> freeNumbers = new ArrayDeque<>();
    private final List<ArrayDeque<Slot>> idle = new ArrayList<>();
    private long bytes;
    private int used;

    Slots(int most, boolean structured, Sender sender) {
        this.most = most;
        this.structured = structured;
        this.sender = sender;
        for (int i = 0; i < SIZES; i++) {
            idle.add(new ArrayDeque<>());
        }
    }

    /** How many are taken. */
    int used() {
        return used;
    }

    Slot get(int number) {
        Kept kept = all.get(number);
        if (kept == null) {
            throw new IllegalStateException("slot " + number + " is gone");
        }
        return kept.slot;
    }

    /** Takes a slot with room for a payload of so many bytes, at most a piece; null if one has to be released first. */
    @Nullable
    Slot take(int payloadBytes) {
        if (used == most) {
            return null;
        }
        int size = sizeOf(payloadBytes);
        Slot slot = idle.get(size).pollLast();
        if (slot == null) {
            long more = Slot.memoryBytes(1 << (size + SMALLEST_SHIFT));
            while (bytes + more > MOST_BYTES && dropIdle()) {}
            if (bytes + more > MOST_BYTES) {
                return null;
            }
            slot = create(more);
        }
        used++;
        return slot;
    }

    private Slot create(long memoryBytes) {
        Integer number = freeNumbers.poll();
        if (number == null) {
            number = all.size();
            all.add(null);
        }
        Arena arena = Arena.ofConfined();
        Slot slot = new Slot(number, arena.allocate(memoryBytes, 4096), structured, sender);
        all.set(number, new Kept(slot, arena));
        bytes += memoryBytes;
        return slot;
    }

    private boolean dropIdle() {
        for (int size = SIZES - 1; size >= 0; size--) {
            Slot slot = idle.get(size).pollFirst();
            if (slot != null) {
                bytes -= Slot.memoryBytes(slot.payloadBytes);
                freeNumbers.add(slot.number);
                Kept kept = all.set(slot.number, null);
                if (kept != null) {
                    kept.arena.close();
                }
                return true;
            }
        }
        return false;
    }

    void release(Slot slot) {
        used--;
        idle.get(sizeOf(slot.payloadBytes)).addLast(slot);
    }

    /** Frees all memory; no slot is taken any more. */
    void close() {
        if (used > 0) {
            throw new IllegalStateException(used + " requests are under way");
        }
        while (dropIdle()) {}
    }

    private static int sizeOf(int payloadBytes) {
        int shift = Integer.SIZE - Integer.numberOfLeadingZeros(Math.max(1, payloadBytes) - 1);
        return Math.max(0, shift - SMALLEST_SHIFT);
    }
}
