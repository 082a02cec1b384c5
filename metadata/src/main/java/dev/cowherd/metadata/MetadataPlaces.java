package dev.cowherd.metadata;

import dev.cowherd.format.CorruptImageException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import org.jspecify.annotations.Nullable;

/**
 * The host clusters that hold metadata, each with all that lies there: so that no table, no new cluster and no guest byte is written
 * over a structure of another kind, whatever wrong entries and refcounts say. The kinds are those of QEMU's overlap checks.
 *
 * <p>An open hash table of one word a cluster, because there is one for every table of a large image. Changed under the allocator's
 * mutex only; asked by anyone without a lock, each write in place among them.
 */
final class MetadataPlaces {
    /** What a cluster holds. */
    enum Kind {
        HEADER(0, "the image header"),
        ACTIVE_L1(1, "the active L1 table"),
        ACTIVE_L2(2, "an active L2 table"),
        REFCOUNT_TABLE(3, "the refcount table"),
        REFCOUNT_BLOCK(4, "a refcount block"),
        SNAPSHOT_TABLE(5, "the snapshot table"),
        INACTIVE_L1(6, "a snapshot's L1 table"),
        INACTIVE_L2(7, "a snapshot's L2 table"),
        BITMAPS(8, "the bitmap directory");

        static final int COUNT = 9;
        private static final Kind[] ALL = values();

        final String label;
        private final int bit;

        Kind(int place, String label) {
            this.label = label;
            this.bit = 1 << place;
        }
    }

    private static final VarHandle SLOTS = MethodHandles.arrayElementVarHandle(long[].class);
    private static final long KINDS = (1L << Kind.COUNT) - 1;
    private static final long EMPTY = 0;

    private final int clusterBits;
    private final String path;
    /** Words of a cluster's number plus one, and the kinds in the lowest bits: none of them if it holds metadata no more. */
    private volatile long[] slots = new long[64];

    private int used;

    MetadataPlaces(int clusterBits, String path) {
        this.clusterBits = clusterBits;
        this.path = path;
    }

    /** Notes that a cluster holds something, beside what it is known to hold. */
    void add(long cluster, Kind kind) {
        if (used * 2 >= slots.length) {
            grow();
        }
        long[] table = slots;
        int at = home(cluster, table);
        while (table[at] != EMPTY && clusterOf(table[at]) != cluster) {
            at = next(at, table);
        }
        used += table[at] == EMPTY ? 1 : 0;
        SLOTS.setRelease(table, at, (cluster + 1) << Kind.COUNT | (table[at] & KINDS) | kind.bit);
    }

    void add(long cluster, long count, Kind kind) {
        for (long i = 0; i < count; i++) {
            add(cluster + i, kind);
        }
    }

    /** The cluster is free: it holds nothing. */
    void remove(long cluster) {
        long[] table = slots;
        for (int at = home(cluster, table); table[at] != EMPTY; at = next(at, table)) {
            if (clusterOf(table[at]) == cluster) {
                SLOTS.setRelease(table, at, table[at] & ~KINDS);
                return;
            }
        }
    }

    /** What a cluster holds, other than some kind that may be there; null if it is no metadata, or only of that kind. */
    @Nullable
    Kind other(long cluster, @Nullable Kind allowed) {
        int kinds = kinds(cluster) & ~(allowed == null ? 0 : allowed.bit);
        return kinds == 0 ? null : first(kinds);
    }

    private static Kind first(int kinds) {
        for (Kind kind : Kind.ALL) {
            if ((kinds & kind.bit) != 0) {
                return kind;
            }
        }
        throw new IllegalStateException("no kind has the bits " + kinds);
    }

    /**
     * Called before a cluster is written.
     *
     * @param kind the structure to be written, which may be there, or null if it is none or a new one
     * @throws CorruptImageException if something else lies there
     */
    void requireNothingElse(long cluster, @Nullable Kind kind) throws CorruptImageException {
        Kind there = other(cluster, kind);
        if (there != null) {
            throw new CorruptImageException(
                            "cluster " + cluster,
                            cluster << clusterBits,
                            "it holds " + there.label + " and was to be written as "
                                    + (kind == null ? "something else" : kind.label))
                    .withPath(path);
        }
    }

    private int kinds(long cluster) {
        long[] table = slots;
        for (int at = home(cluster, table); ; at = next(at, table)) {
            long word = (long) SLOTS.getAcquire(table, at);
            if (word == EMPTY) {
                return 0;
            }
            if (clusterOf(word) == cluster) {
                return (int) (word & KINDS);
            }
        }
    }

    private static long clusterOf(long word) {
        return (word >>> Kind.COUNT) - 1;
    }

    private static int next(int at, long[] table) {
        return (at + 1) & (table.length - 1);
    }

    private static int home(long cluster, long[] table) {
        return (int) ((cluster * 0x9e37_79b9_7f4a_7c15L) >>> 32) & (table.length - 1);
    }

    /** Who asks meanwhile finds the smaller table, as it was. */
    private void grow() {
        long[] old = slots;
        int live = 0;
        for (long word : old) {
            live += (word & KINDS) != 0 ? 1 : 0;
        }
        long[] larger = new long[live * 2 >= old.length / 2 ? old.length * 2 : old.length];
        for (long word : old) {
            if ((word & KINDS) != 0) {
                int at = home(clusterOf(word), larger);
                while (larger[at] != EMPTY) {
                    at = next(at, larger);
                }
                larger[at] = word;
            }
        }
        used = live;
        slots = larger;
    }
}
