package dev.cowherd.cli.convert;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Tells the runs of zeros that a sparse target leaves out from the data between them.
 *
 * <p>Zeros are looked for in blocks that are aligned on the disk: the largest power of two within the sparse size, as
 * qemu-img does, so that holes fall on the host file system's blocks. Between data, a run shorter than the sparse size is
 * written like data: one longer write beats two and a tiny hole.
 */
final class SparseScan {
    /** Receives runs in order; positions are bytes from the start of the buffer. */
    interface Runs {
        void data(long from, long to) throws IOException;

        void zeros(long from, long to) throws IOException;
    }

    private final long blockBytes;
    private final long shortestBytes;
    private final MemorySegment zeros;

    /**
     * A scan for holes.
     *
     * @param sparseBytes the shortest run of zeros that becomes a hole, a multiple of 512; 0 finds none
     * @param zeros a native segment of zeros, at least as long as the sparse size
     */
    SparseScan(int sparseBytes, MemorySegment zeros) {
        this.shortestBytes = sparseBytes;
        this.blockBytes = Integer.highestOneBit(sparseBytes);
        this.zeros = zeros;
    }

    /**
     * Goes through a buffer once.
     *
     * @param buffer the bytes
     * @param length how many of them, more than zero
     * @param diskOffset where on the disk the first of them lies
     * @param runs told every run, in order, without gaps
     * @throws IOException what a receiver threw
     */
    void forEachRun(MemorySegment buffer, long length, long diskOffset, Runs runs) throws IOException {
        if (shortestBytes == 0) {
            runs.data(0, length);
            return;
        }
        long dataStart = -1;
        long at = 0;
        while (at < length) {
            if (!zeroBlockAt(buffer, at, length, diskOffset)) {
                dataStart = dataStart < 0 ? at : dataStart;
                at = blockEnd(at, length, diskOffset);
                continue;
            }
            long zerosStart = at;
            do {
                at = blockEnd(at, length, diskOffset);
            } while (at < length && zeroBlockAt(buffer, at, length, diskOffset));
            if (dataStart >= 0 && at < length && at - zerosStart < shortestBytes) {
                continue;
            }
            if (dataStart >= 0) {
                runs.data(dataStart, zerosStart);
                dataStart = -1;
            }
            runs.zeros(zerosStart, at);
        }
        if (dataStart >= 0) {
            runs.data(dataStart, length);
        }
    }

    private long blockEnd(long at, long length, long diskOffset) {
        long inBlock = (diskOffset + at) & (blockBytes - 1);
        return Math.min(length, at + blockBytes - inBlock);
    }

    private boolean zeroBlockAt(MemorySegment buffer, long at, long length, long diskOffset) {
        // Most data shows itself in its first byte; comparing a whole block costs more.
        if (buffer.get(ValueLayout.JAVA_BYTE, at) != 0) {
            return false;
        }
        long end = blockEnd(at, length, diskOffset);
        return MemorySegment.mismatch(buffer, at, end, zeros, 0, end - at) < 0;
    }
}
