package dev.cowherd.check;

import java.util.Arrays;

/**
 * The L2 tables that the L1 tables refer to, each once, in the order they were found, with how often the active L1 table and
 * those of snapshots refer to it. Belongs to the thread that runs the check until it is complete; then any number may read.
 */
final class L2Tables {
    private static final int ABSENT = -1;

    private long[] offsets = new long[64];
    private int[] active = new int[64];
    private long[] inactive = new long[64];
    private int size;
    /** An open-addressed hash table of indexes, at most half full. */
    private int[] slots = new int[256];

    L2Tables() {
        Arrays.fill(slots, ABSENT);
    }

    void addActive(long offset) {
        int index = indexFor(offset); // May replace the arrays.
        active[index]++;
    }

    void addInactive(long offset, long times) {
        int index = indexFor(offset);
        inactive[index] += times;
    }

    int size() {
        return size;
    }

    /** Where a table lies in the file, in bytes. */
    long offset(int index) {
        return offsets[index];
    }

    long activeReferences(int index) {
        return active[index];
    }

    long references(int index) {
        return active[index] + inactive[index];
    }

    /** The offsets of all tables, ascending. */
    long[] sortedOffsets() {
        long[] sorted = Arrays.copyOf(offsets, size);
        Arrays.sort(sorted);
        return sorted;
    }

    /** The index of a table that is here. */
    int indexOf(long offset) {
        return slots[slotOf(offset)];
    }

    private int indexFor(long offset) {
        int slot = slotOf(offset);
        if (slots[slot] != ABSENT) {
            return slots[slot];
        }
        if (size == offsets.length) {
            grow();
            slot = slotOf(offset);
        }
        offsets[size] = offset;
        slots[slot] = size;
        return size++;
    }

    private void grow() {
        int capacity = Math.multiplyExact(size, 2);
        offsets = Arrays.copyOf(offsets, capacity);
        active = Arrays.copyOf(active, capacity);
        inactive = Arrays.copyOf(inactive, capacity);
        slots = new int[Math.multiplyExact(capacity, 4)];
        Arrays.fill(slots, ABSENT);
        for (int i = 0; i < size; i++) {
            slots[slotOf(offsets[i])] = i;
        }
    }

    /** The slot that holds an offset, or the empty one where it belongs. */
    private int slotOf(long offset) {
        int mask = slots.length - 1;
        int slot = (int) ((offset * 0x9e37_79b9_7f4a_7c15L) >>> 32) & mask;
        while (slots[slot] != ABSENT && offsets[slots[slot]] != offset) {
            slot = slot + 1 & mask;
        }
        return slot;
    }
}
