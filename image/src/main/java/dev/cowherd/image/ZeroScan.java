package dev.cowherd.image;

import java.lang.foreign.MemorySegment;

/** Finds out whether memory holds nothing but zeros. */
final class ZeroScan {
    private static final int STEP = 4096;

    private ZeroScan() {}

    /** Whether all bytes are zeros; data that is not is usually told by its first bytes. */
    static boolean isZero(MemorySegment segment) {
        long length = segment.byteSize();
        long head = Math.min(length, STEP);
        for (long i = 0; i < head; i++) {
            if (segment.get(java.lang.foreign.ValueLayout.JAVA_BYTE, i) != 0) {
                return false;
            }
        }
        // The rest equals itself moved by the zeros at its front exactly if it is zeros: the comparison is the
        // library's fast one.
        return length <= head || MemorySegment.mismatch(segment, 0, length - head, segment, head, length) < 0;
    }
}
