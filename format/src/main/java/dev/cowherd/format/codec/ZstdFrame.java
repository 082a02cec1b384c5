package dev.cowherd.format.codec;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** Finds where a Zstandard frame ends (RFC 8878, section 3.1), without decoding it. */
final class ZstdFrame {
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final int MAGIC = 0xfd2f_b528;
    private static final int SKIPPABLE_MAGIC = 0x184d_2a50;

    /** What the frame's parts take: without blocks at least this. */
    private static final int LEAST_BYTES = 9;

    private ZstdFrame() {}

    /** Whether the frame holds no content at all. */
    static boolean isSkippable(MemorySegment in, long at) {
        return (in.get(INT, at) & ~0xf) == SKIPPABLE_MAGIC;
    }

    /**
     * The length of a frame.
     *
     * @return bytes, or -1 if there is no whole frame
     */
    static long bytes(MemorySegment in, long from) {
        if (in.byteSize() - from < LEAST_BYTES) {
            return -1;
        }
        if (isSkippable(in, from)) {
            return within(in, from, 8 + Integer.toUnsignedLong(in.get(INT, from + 4)));
        }
        return in.get(INT, from) == MAGIC ? within(in, from, blocksEnd(in, from) - from) : -1;
    }

    private static long blocksEnd(MemorySegment in, long from) {
        int descriptor = in.get(ValueLayout.JAVA_BYTE, from + 4) & 0xff;
        boolean singleSegment = (descriptor & 0x20) != 0;
        int sizeCode = descriptor >>> 6;
        int sizeBytes = sizeCode == 0 ? (singleSegment ? 1 : 0) : 1 << sizeCode;
        int dictionaryBytes = (1 << (descriptor & 3)) >> 1;
        long at = from + 5 + (singleSegment ? 0 : 1) + dictionaryBytes + sizeBytes;
        while (in.byteSize() - at >= 3) {
            int header = (in.get(ValueLayout.JAVA_BYTE, at) & 0xff)
                    | (in.get(ValueLayout.JAVA_BYTE, at + 1) & 0xff) << 8
                    | (in.get(ValueLayout.JAVA_BYTE, at + 2) & 0xff) << 16;
            boolean oneByteRepeated = ((header >>> 1) & 3) == 1;
            at += 3 + (oneByteRepeated ? 1 : header >>> 3);
            if ((header & 1) != 0) {
                return at + ((descriptor & 4) != 0 ? 4 : 0);
            }
        }
        return Long.MAX_VALUE;
    }

    private static long within(MemorySegment in, long from, long bytes) {
        return bytes <= in.byteSize() - from ? bytes : -1;
    }
}
