package dev.cowherd.storage;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Makes bytes zero where the host cannot punch them out exactly: whole blocks by the host, the rest by writing zeros. */
final class Holes {
    private static final long CHUNK_BYTES = 256 * 1024;

    private Holes() {}

    /**
     * Zeros the part of a run that lies inside the file, after the host refused to punch it as a whole.
     *
     * @param writer takes zeros at any offset
     * @param file punches the blocks of a device
     */
    static void writeZerosInside(Storage writer, FileStorage file, long offset, long length) throws IOException {
        long end = Math.min(offset + length, Math.max(offset, file.sizeBytes()));
        long block = file.punchGranularity();
        long from = Math.min(end, Math.ceilDiv(offset, block) * block);
        long to = Math.max(from, end / block * block);
        if (block > 1 && to > from && file.tryPunch(from, to - from)) {
            writeZeros(writer, offset, from);
            writeZeros(writer, to, end);
        } else {
            writeZeros(writer, offset, end);
        }
    }

    /** Writes zeros from one place up to another one, if that lies behind it. */
    static void writeZeros(Storage writer, long from, long to) throws IOException {
        if (from >= to) {
            return;
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment zeros = arena.allocate(Math.min(CHUNK_BYTES, to - from), 4096);
            for (long at = from; at < to; at += CHUNK_BYTES) {
                writer.write(at, zeros.asSlice(0, Math.min(CHUNK_BYTES, to - at)));
            }
        }
    }
}
