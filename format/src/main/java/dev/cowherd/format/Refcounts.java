package dev.cowherd.format;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * The refcounts in a refcount block (specification: Refcounts). A block fills a cluster with refcounts of 2^order bits.
 *
 * <p>Widths of 8 bits and more are big-endian numbers. Narrower ones share a byte, the first in its lowest bits.
 */
public final class Refcounts {
    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

    private Refcounts() {}

    /**
     * Reads one refcount.
     *
     * @param block the refcount block
     * @param index which refcount, from 0
     * @param order log2 of the width in bits, 0 to 6
     * @return the refcount; at order 6 an unsigned 64-bit number
     * @throws IndexOutOfBoundsException if the block is shorter
     */
    public static long get(MemorySegment block, long index, int order) {
        return switch (order) {
            case 0, 1, 2 -> {
                int perByteBits = 3 - order;
                int shift = (int) (index & ((1 << perByteBits) - 1)) << order;
                int mask = (1 << (1 << order)) - 1;
                yield (block.get(ValueLayout.JAVA_BYTE, index >>> perByteBits) >>> shift) & mask;
            }
            case 3 -> block.get(ValueLayout.JAVA_BYTE, index) & 0xffL;
            case 4 -> block.get(SHORT, index << 1) & 0xffffL;
            case 5 -> block.get(INT, index << 2) & 0xffff_ffffL;
            case 6 -> block.get(LONG, index << 3);
            default -> throw new IllegalArgumentException("refcount order " + order);
        };
    }

    /**
     * Writes one refcount.
     *
     * @param block the refcount block
     * @param index which refcount, from 0
     * @param order log2 of the width in bits, 0 to 6
     * @param value the refcount; at order 6 an unsigned 64-bit number
     * @throws IllegalArgumentException if the value does not fit the width
     * @throws IndexOutOfBoundsException if the block is shorter
     */
    public static void set(MemorySegment block, long index, int order, long value) {
        if (order < 6 && value >>> (1 << order) != 0) {
            throw new IllegalArgumentException("refcount " + value + " of " + (1 << order) + " bits");
        }
        switch (order) {
            case 0, 1, 2 -> {
                int perByteBits = 3 - order;
                int shift = (int) (index & ((1 << perByteBits) - 1)) << order;
                int mask = (1 << (1 << order)) - 1;
                byte old = block.get(ValueLayout.JAVA_BYTE, index >>> perByteBits);
                block.set(ValueLayout.JAVA_BYTE, index >>> perByteBits, (byte)
                        ((old & ~(mask << shift)) | ((int) value << shift)));
            }
            case 3 -> block.set(ValueLayout.JAVA_BYTE, index, (byte) value);
            case 4 -> block.set(SHORT, index << 1, (short) value);
            case 5 -> block.set(INT, index << 2, (int) value);
            case 6 -> block.set(LONG, index << 3, value);
            default -> throw new IllegalArgumentException("refcount order " + order);
        }
    }
}
