package dev.cowherd.check;

import dev.cowherd.storage.Storage;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * Reads tables of big-endian numbers from the image file into arrays. Bytes past the file's end read as zeros, as they do in
 * QEMU, so a table that is only partly in the file is judged by the part that is.
 *
 * <p>One thread at a time: it owns the buffer that the host fills.
 */
final class HostTables implements AutoCloseable {
    /** The most bytes that one read asks of the host. */
    static final int CHUNK_BYTES = 2 << 20;

    private static final ValueLayout.OfLong LONG_BE = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    private static final ValueLayout.OfInt INT_BE = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    private static final ValueLayout.OfShort SHORT_BE =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

    private final Storage storage;
    private final Arena arena = Arena.ofConfined();
    private MemorySegment buffer;

    /** Reads from a storage; closing this leaves the storage open. */
    HostTables(Storage storage) {
        this.storage = storage;
        this.buffer = arena.allocate(64 << 10, 4096);
    }

    /** Reads {@code count} 64-bit words to the front of an array. */
    void words(long offset, int count, long[] into) throws IOException {
        int got = fill(offset, Math.multiplyExact(count, Long.BYTES)) / Long.BYTES;
        MemorySegment.copy(buffer, LONG_BE, 0, into, 0, got);
        Arrays.fill(into, got, count, 0);
    }

    /** Reads {@code count} 32-bit numbers to the front of an array. */
    void ints(long offset, int count, int[] into) throws IOException {
        int got = fill(offset, Math.multiplyExact(count, Integer.BYTES)) / Integer.BYTES;
        MemorySegment.copy(buffer, INT_BE, 0, into, 0, got);
        Arrays.fill(into, got, count, 0);
    }

    /** Reads {@code count} 16-bit numbers to the front of an array. */
    void shorts(long offset, int count, short[] into) throws IOException {
        int got = fill(offset, Math.multiplyExact(count, Short.BYTES)) / Short.BYTES;
        MemorySegment.copy(buffer, SHORT_BE, 0, into, 0, got);
        Arrays.fill(into, got, count, (short) 0);
    }

    /** Reads {@code count} bytes to the front of an array. */
    void bytes(long offset, int count, byte[] into) throws IOException {
        int got = fill(offset, count);
        MemorySegment.copy(buffer, ValueLayout.JAVA_BYTE, 0, into, 0, got);
        Arrays.fill(into, got, count, (byte) 0);
    }

    /** Fills the buffer; the answer is rounded up to whole numbers whose missing bytes are zero. */
    private int fill(long offset, int bytes) throws IOException {
        if (buffer.byteSize() < bytes) {
            buffer = arena.allocate(bytes, 4096);
        }
        long got = storage.read(offset, buffer.asSlice(0, bytes));
        int whole = (int) Math.min(bytes, got + Long.BYTES - 1 & -Long.BYTES);
        if (whole > got) {
            buffer.asSlice(got, whole - got).fill((byte) 0);
        }
        return whole;
    }

    @Override
    public void close() {
        arena.close();
    }
}
