package dev.cowherd.metadata;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import org.jspecify.annotations.Nullable;

/**
 * A stretch of an L2 table in memory, the unit of the cache: its words in the host's byte order. Words are read with acquire
 * semantics and no lock. A slice that was evicted stays right for who still holds it; nobody holds one from one request to the
 * next.
 *
 * <p>The two words of an extended entry belong together. Nothing changes a slice yet; when writes do, they replace the pair
 * under a sequence kept here, and {@link ImageMap} reads the pair again when the sequence moved.
 */
final class Slice {
    private static final VarHandle WORDS = MethodHandles.arrayElementVarHandle(long[].class);
    /** What a slice costs besides its words: two objects, its place in the index and in the clock. */
    private static final int OVERHEAD_BYTES = 96;

    final SliceIndex owner;
    final long number;
    /** Host offset of the L2 table in bytes. */
    final long tableOffset;
    /** Index in the table of the slice's first entry. */
    final int firstEntry;

    private final long[] words;
    /** Set by who uses the slice, cleared by the clock's hand. A plain race: at worst the slice is kept or dropped too early. */
    private boolean used = true;

    /** The clock's ring; guarded by the cache's lock. */
    @Nullable
    Slice next;

    @Nullable
    Slice previous;

    Slice(SliceIndex owner, long number, long tableOffset, int firstEntry, long[] words) {
        this.owner = owner;
        this.number = number;
        this.tableOffset = tableOffset;
        this.firstEntry = firstEntry;
        this.words = words;
    }

    long word(int index) {
        return (long) WORDS.getAcquire(words, index);
    }

    /** Notes a use. Writes only if the hand came by since, so that queues with the same working set share no written line. */
    void touch() {
        if (!used) {
            used = true;
        }
    }

    /** The hand's question: used since it last came by? */
    boolean takeUsed() {
        boolean was = used;
        used = false;
        return was;
    }

    long costBytes() {
        return words.length * 8L + OVERHEAD_BYTES;
    }
}
