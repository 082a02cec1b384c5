package dev.cowherd.metadata;

import dev.cowherd.format.CorruptImageException;
import dev.cowherd.format.Geometry;
import dev.cowherd.format.L1Entry;
import dev.cowherd.format.Limits;
import dev.cowherd.storage.Storage;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * An L1 table, whole in memory: for each stretch of the disk, where its L2 table is. Words are read with acquire semantics, so that
 * whoever sees an entry sees what was there when it was published. Entries are judged when they are used, not when the table is
 * loaded: one bad entry spoils its own stretch only.
 */
final class L1Table {
    private static final VarHandle WORDS = MethodHandles.arrayElementVarHandle(long[].class);
    private static final ValueLayout.OfLong BIG_ENDIAN =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    private static final int CHUNK_BYTES = 64 << 10;

    private final String path;
    private final long hostOffset;
    private final long[] words;

    private L1Table(String path, long hostOffset, long[] words) {
        this.path = path;
        this.hostOffset = hostOffset;
        this.words = words;
    }

    /**
     * Loads a table.
     *
     * @param entries as the image claims
     * @param needed how many of them the disk's size needs; the rest are not loaded
     * @param fileBytes what the file holds: memory is taken only for a table that lies within
     */
    static L1Table load(Storage file, long hostOffset, int entries, long needed, Geometry geometry, long fileBytes)
            throws IOException {
        long bytes = Math.multiplyExact((long) entries, L1Entry.BYTES);
        String path = file.name();
        if (bytes < 0 || bytes > Limits.MAX_L1_BYTES) {
            throw corrupt(
                    path, "L1 table", hostOffset, entries + " entries are more than " + Limits.MAX_L1_BYTES + " bytes");
        }
        if (bytes > 0 && geometry.offsetInCluster(hostOffset) != 0) {
            throw corrupt(path, "L1 table", hostOffset, "the offset is not a multiple of the cluster size");
        }
        if (bytes > 0 && (hostOffset <= 0 || bytes > fileBytes - hostOffset)) {
            throw corrupt(path, "L1 table", hostOffset, bytes + " bytes reach past the file's end at " + fileBytes);
        }
        long[] words = new long[(int) Math.min(entries, needed)];
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment chunk = arena.allocate(Math.min(CHUNK_BYTES, Math.max(8L, words.length * 8L)), 4096);
            for (int at = 0; at < words.length; ) {
                int count = (int) Math.min(words.length - at, chunk.byteSize() / 8);
                MemorySegment part = chunk.asSlice(0, count * 8L);
                long read = file.read(hostOffset + at * 8L, part);
                if (read < part.byteSize()) {
                    throw corrupt(path, "L1 table", hostOffset, "the file ends within it");
                }
                MemorySegment.copy(part, BIG_ENDIAN, 0, words, at, count);
                at += count;
            }
        }
        return new L1Table(path, hostOffset, words);
    }

    /** How many entries there are; the stretches beyond are not allocated. */
    int entries() {
        return words.length;
    }

    /** Where the table lies, in bytes of the host. */
    long hostOffset() {
        return hostOffset;
    }

    /** Publishes an entry: who sees it sees what the caller did before. */
    void set(int index, long word) {
        WORDS.setRelease(words, index, word);
    }

    /** The same words at another place, with more entries. */
    L1Table movedTo(long newHostOffset, int entries) {
        return new L1Table(path, newHostOffset, Arrays.copyOf(words, entries));
    }

    /** An entry as it is. */
    long word(int index) {
        return (long) WORDS.getAcquire(words, index);
    }

    /** The complaint about an entry. */
    CorruptImageException corrupt(int index, String reason) {
        return corrupt(
                path,
                "L1 table entry " + index,
                hostOffset + (long) index * L1Entry.BYTES,
                "0x" + Long.toHexString(word(index)) + ": " + reason);
    }

    private static CorruptImageException corrupt(String path, String structure, long offset, String reason) {
        return new CorruptImageException(structure, offset, reason).withPath(path);
    }
}
