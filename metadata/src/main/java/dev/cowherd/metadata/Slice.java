package dev.cowherd.metadata;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A stretch of an L2 table in memory, the unit of the cache: its words in the host's byte order. Words are read with acquire
 * semantics and no lock. A slice that was evicted stays right for who still holds it, as the mapping of then; nobody holds one from
 * one request to the next.
 *
 * <p>Words change under the slice's monitor, and only while the slice is {@linkplain #isEvicted() current}. The two words of an
 * extended entry belong together: they are replaced under a {@link #sequence} that is odd meanwhile, and who reads them looks at it
 * before and after.
 *
 * <p>A slice that the disk does not have in this state is <em>dirty</em>; one that a flush round has a copy of is being
 * <em>written</em>. Neither is ever evicted.
 */
final class Slice {
    private static final VarHandle WORDS = MethodHandles.arrayElementVarHandle(long[].class);
    private static final VarHandle SEQUENCE;
    /** What a slice costs besides its words: its objects, its place in the index and in the clock. */
    private static final int OVERHEAD_BYTES = 128;

    static {
        try {
            SEQUENCE = MethodHandles.lookup().findVarHandle(Slice.class, "sequence", int.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    final SliceIndex owner;
    final long number;
    /** Host offset of the L2 table in bytes. */
    final long tableOffset;
    /** Index in the table of the slice's first entry. */
    final int firstEntry;

    private final long[] words;

    @SuppressWarnings("UnusedVariable") // by SEQUENCE
    private int sequence;
    /** Set by who uses the slice, cleared by the clock's hand. A plain race: at worst the slice is kept or dropped too early. */
    private boolean used = true;
    /** Whether the COPIED flags here were compared with the refcounts; see {@link Ownership}. */
    private volatile boolean owned;

    // Guarded by the slice's monitor.
    private boolean evicted;
    private boolean dirty;
    private boolean writing;
    private List<Dropped> drops = new ArrayList<>(0);

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

    int words() {
        return words.length;
    }

    /** Before reading a pair of words: the sequence, once no change of a pair is under way. */
    int sequence() {
        int seen = (int) SEQUENCE.getAcquire(this);
        while ((seen & 1) != 0) {
            Thread.onSpinWait();
            seen = (int) SEQUENCE.getAcquire(this);
        }
        return seen;
    }

    /** After reading a pair: whether it may be torn, because a pair changed since. */
    boolean changedSince(int sequence) {
        VarHandle.acquireFence();
        return (int) SEQUENCE.getOpaque(this) != sequence;
    }

    /** Replaces a word. The caller has the monitor. */
    void set(int index, long word) {
        WORDS.setRelease(words, index, word);
    }

    /** Replaces the two words of an extended entry. The caller has the monitor. */
    void setPair(int index, long first, long second) {
        int before = (int) SEQUENCE.getOpaque(this);
        SEQUENCE.setOpaque(this, before + 1);
        VarHandle.releaseFence();
        WORDS.setOpaque(words, index, first);
        WORDS.setOpaque(words, index + 1, second);
        SEQUENCE.setRelease(this, before + 2);
    }

    boolean isOwned() {
        return owned;
    }

    void setOwned() {
        owned = true;
    }

    /** Whether changes here would be lost. The caller has the monitor. */
    boolean isEvicted() {
        return evicted;
    }

    /** Takes it out of use, unless the disk does not have all of it. */
    synchronized boolean tryEvict() {
        if (dirty || writing) {
            return false;
        }
        evicted = true;
        return true;
    }

    /**
     * Notes that words changed, and which references went with that. The caller has the monitor.
     *
     * @return whether the slice was clean before
     */
    boolean markDirty(List<Dropped> dropped) {
        drops.addAll(dropped);
        boolean was = dirty;
        dirty = true;
        return !was;
    }

    /** What a flush round writes of a slice. */
    static final class Copy {
        final Slice slice;
        final long[] words;
        final List<Dropped> drops;

        private Copy(Slice slice) {
            this.slice = slice;
            this.words = slice.words.clone();
            this.drops = slice.drops;
        }
    }

    /** Copies the words for writing. */
    synchronized Copy copyForWriting() {
        Copy copy = new Copy(this);
        drops = new ArrayList<>(0);
        dirty = false;
        writing = true;
        return copy;
    }

    /** The copy is durable. */
    synchronized void written() {
        writing = false;
    }

    /**
     * The copy did not get there.
     *
     * @return whether nobody has made the slice dirty again meanwhile
     */
    synchronized boolean writeFailed(Copy copy) {
        writing = false;
        return markDirty(copy.drops);
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
