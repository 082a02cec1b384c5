package dev.cowherd.metadata;

import dev.cowherd.format.Geometry;
import dev.cowherd.metadata.MetadataPlaces.Kind;
import dev.cowherd.storage.Storage;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Writes tables and parts of them to one queue's handle, neighbours together. Nothing is written before it is known that no structure
 * of another kind lies there. Used by one thread.
 */
final class TableIo {
    static final ValueLayout.OfLong BIG_ENDIAN = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    private static final int BUFFER_BYTES = 256 << 10;
    /** Entries are written in pieces of this size, which a disk writes whole. */
    private static final int SECTOR_WORDS = 64;

    private final Storage file;
    private final Geometry geometry;
    private final Allocator allocator;
    private final MemorySegment buffer;

    TableIo(Storage file, Arena arena, Geometry geometry, Allocator allocator) {
        this.file = file;
        this.geometry = geometry;
        this.allocator = allocator;
        this.buffer = arena.allocate(BUFFER_BYTES, 4096);
    }

    /**
     * Decodes the words that a segment begins with. A loop that the compiler makes vector instructions of: a bulk copy that swaps
     * bytes is a call into the virtual machine, which swaps them one word at a time and took a quarter of a table load.
     */
    static long[] words(MemorySegment bytes, int count) {
        long[] words = new long[count];
        for (int i = 0; i < count; i++) {
            words[i] = bytes.get(BIG_ENDIAN, (long) i * Long.BYTES);
        }
        return words;
    }

    /** Writes slices, those that lie side by side in one go. */
    void writeSlices(List<Slice.Copy> copies) throws IOException {
        List<Slice.Copy> sorted = new ArrayList<>(copies);
        sorted.sort(Comparator.comparingLong(this::offset));
        long start = 0;
        int filled = 0;
        for (Slice.Copy copy : sorted) {
            int bytes = copy.words.length * Long.BYTES;
            if (filled > 0 && (offset(copy) != start + filled || filled + bytes > BUFFER_BYTES)) {
                write(start, filled, Kind.ACTIVE_L2);
                filled = 0;
            }
            if (filled == 0) {
                start = offset(copy);
            }
            MemorySegment.copy(copy.words, 0, buffer, BIG_ENDIAN, filled, copy.words.length);
            filled += bytes;
        }
        if (filled > 0) {
            write(start, filled, Kind.ACTIVE_L2);
        }
    }

    private long offset(Slice.Copy copy) {
        return copy.slice.tableOffset + (long) copy.slice.firstEntry * geometry.l2EntryBytes();
    }

    /** Writes what the buffer begins with. */
    private void write(long hostOffset, long bytes, @Nullable Kind kind) throws IOException {
        allocator.requireNothingElse(hostOffset, bytes, kind);
        file.write(hostOffset, buffer.asSlice(0, bytes));
    }

    /** Writes runs of refcount blocks. */
    void writeBlocks(List<RefcountBlock.Copy> copies) throws IOException {
        for (RefcountBlock.Copy copy : copies) {
            writeBytes(copy.hostOffset(), copy.bytes, Kind.REFCOUNT_BLOCK);
        }
    }

    /**
     * Writes bytes of a structure.
     *
     * @param kind what is known to lie there, or null if that must be nothing yet
     */
    void writeBytes(long hostOffset, byte[] bytes, @Nullable Kind kind) throws IOException {
        for (int done = 0; done < bytes.length; ) {
            int step = Math.min(bytes.length - done, BUFFER_BYTES);
            MemorySegment.copy(bytes, done, buffer, ValueLayout.JAVA_BYTE, 0, step);
            write(hostOffset + done, step, kind);
            done += step;
        }
    }

    /** Writes a whole table of words. */
    void writeTable(long hostOffset, long[] words, @Nullable Kind kind) throws IOException {
        for (int done = 0; done < words.length; ) {
            int step = Math.min(words.length - done, BUFFER_BYTES / Long.BYTES);
            MemorySegment.copy(words, done, buffer, BIG_ENDIAN, 0, step);
            write(hostOffset + (long) done * Long.BYTES, (long) step * Long.BYTES, kind);
            done += step;
        }
    }

    /** Writes entries of a table of words, those in a row in one go, at most a sector at a time. */
    void writeWords(long tableOffset, int entryBytes, Map<Integer, Long> sortedEntries, Kind kind) throws IOException {
        int first = 0;
        int count = 0;
        for (Map.Entry<Integer, Long> entry : sortedEntries.entrySet()) {
            int index = entry.getKey();
            if (count > 0 && (index != first + count || index / SECTOR_WORDS != first / SECTOR_WORDS)) {
                write(tableOffset + (long) first * entryBytes, (long) count * entryBytes, kind);
                count = 0;
            }
            if (count == 0) {
                first = index;
            }
            buffer.set(BIG_ENDIAN, (long) count * entryBytes, entry.getValue());
            count++;
        }
        if (count > 0) {
            write(tableOffset + (long) first * entryBytes, (long) count * entryBytes, kind);
        }
    }
}
