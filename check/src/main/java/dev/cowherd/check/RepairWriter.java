package dev.cowherd.check;

import dev.cowherd.format.Feature;
import dev.cowherd.format.Header;
import dev.cowherd.storage.Storage;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * All that a repair writes goes through here. The first write of all clears the autoclear bits that this engine does not know, as
 * the format demands of a writer; fields of the header change in place and one by one, so that everything else in it is kept.
 */
final class RepairWriter {
    private static final ValueLayout.OfLong LONG_BE = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    private static final ValueLayout.OfInt INT_BE = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    private static final long REFCOUNT_TABLE_AT = 48;
    private static final int REFCOUNT_TABLE_BYTES = 12;
    private static final long SNAPSHOTS_AT = 60;
    private static final int SNAPSHOTS_BYTES = 12;
    private static final long INCOMPATIBLE_AT = 72;
    private static final long AUTOCLEAR_AT = 88;

    private final Storage storage;
    private final Header header;
    private boolean begun;

    RepairWriter(Storage storage, Header header) {
        this.storage = storage;
        this.header = header;
    }

    /** Whether anything was written. */
    boolean begun() {
        return begun;
    }

    void write(long offset, MemorySegment source) throws IOException {
        begin();
        storage.write(offset, source);
    }

    /** Writes big-endian words. */
    void words(long offset, long... words) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment bytes = arena.allocate((long) words.length * Long.BYTES);
            MemorySegment.copy(words, 0, bytes, LONG_BE, 0, words.length);
            write(offset, bytes);
        }
    }

    /** Returns when all that was written is durable. */
    void sync() throws IOException {
        if (begun) {
            storage.sync();
        }
    }

    /** Makes the header name another refcount table, by one write of neighbouring fields in one sector; durable on return. */
    void switchRefcountTable(long offset, int clusters) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment fields = arena.allocate(REFCOUNT_TABLE_BYTES);
            fields.set(LONG_BE, 0, offset);
            fields.set(INT_BE, Long.BYTES, clusters);
            write(REFCOUNT_TABLE_AT, fields);
        }
        sync();
    }

    /** Makes the header name another snapshot table, by one write of neighbouring fields in one sector; durable on return. */
    void switchSnapshotTable(int snapshots, long offset) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment fields = arena.allocate(SNAPSHOTS_BYTES);
            fields.set(INT_BE, 0, snapshots);
            fields.set(LONG_BE, Integer.BYTES, offset);
            write(SNAPSHOTS_AT, fields);
        }
        sync();
    }

    /** Takes the dirty and the corrupt bit off the image, once everything before is durable. */
    void markClean() throws IOException {
        long bits = header.incompatibleFeatures() & ~(Feature.DIRTY.mask() | Feature.CORRUPT.mask());
        if (bits != header.incompatibleFeatures()) {
            sync();
            words(INCOMPATIBLE_AT, bits);
            sync();
        }
    }

    private void begin() throws IOException {
        if (begun) {
            return;
        }
        begun = true;
        long known = 0;
        for (Feature feature : Feature.values()) {
            if (feature.kind() == Feature.Kind.AUTOCLEAR) {
                known |= feature.mask();
            }
        }
        long bits = header.autoclearFeatures() & known;
        if (bits != header.autoclearFeatures()) {
            words(AUTOCLEAR_AT, bits);
            storage.sync();
        }
    }
}
