package dev.cowherd.metadata;

import dev.cowherd.format.CorruptImageException;
import dev.cowherd.format.Geometry;
import dev.cowherd.format.L1Entry;
import dev.cowherd.format.L2Entry;
import dev.cowherd.metadata.Allocator.Taken;
import dev.cowherd.metadata.MetadataPlaces.Kind;
import dev.cowherd.storage.Storage;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Makes sure that what a write changes belongs to the active image alone. The COPIED flag is a hint and the refcount the truth: the
 * first write to a slice compares them, in memory, so that later writes may go by the flag without a look at any refcount.
 *
 * <p>Also makes the L2 tables that are not there yet, and copies those that a snapshot shares. A new table is whole on the host before
 * the L1 entry is published, so a look-up never loads what was there before.
 */
final class Ownership {
    private final ImageMap map;
    private final Allocator allocator;
    private final FlushProcedure flush;
    private final Epochs epochs;
    private final InFlight tables;
    private final Geometry geometry;

    Ownership(ImageMap map, Allocator allocator, FlushProcedure flush, Epochs epochs, Waits waits) {
        this.map = map;
        this.allocator = allocator;
        this.flush = flush;
        this.epochs = epochs;
        this.tables = new InFlight(waits, WaitEvent.For.TABLE);
        this.geometry = map.geometry();
    }

    /** Makes an empty L2 table for a guest offset, unless another queue is at it. The caller looks at the map again. */
    void createTable(long at, LayerHandles handles) throws IOException {
        replaceTable(Math.toIntExact(geometry.l1Index(at)), 0, handles);
    }

    /** Makes the slice's flags the truth, or gives the image a table of its own. The caller looks at the map again. */
    void establish(Slice slice, long at, LayerHandles handles) throws IOException {
        if (!isCurrent(slice)) {
            // Its table was replaced when another slice of it was written.
            map.forget(slice);
            return;
        }
        long[] clusters = {slice.tableOffset >>> geometry.clusterBits()};
        long[] counts = new long[1];
        allocator.counts(clusters, 1, counts, handles.file());
        if (counts[0] == 0) {
            throw map.l1()
                    .corrupt(Math.toIntExact(geometry.l1Index(at)), "the refcount of the L2 table's cluster is 0");
        }
        Kind there = allocator.metadataAt(clusters[0], Kind.ACTIVE_L2);
        if (there != null && !(there == Kind.INACTIVE_L2 && counts[0] > 1)) {
            throw map.l1()
                    .corrupt(Math.toIntExact(geometry.l1Index(at)), "the L2 table's cluster holds " + there.label);
        }
        if (counts[0] != 1) {
            replaceTable(Math.toIntExact(geometry.l1Index(at)), slice.tableOffset, handles);
            if (!isCurrent(slice)) {
                map.forget(slice);
            }
            return;
        }
        compareFlags(slice, handles);
    }

    /**
     * Called before a write relies on what an entry refers to, or lets go of it: that must be guest data. Known from the slice's
     * flags, but a cluster that two entries claim may have been given away by one and hold a table by now.
     */
    void requireGuestData(Slice slice, int entry, long word) throws CorruptImageException {
        if (map.hasExternalData() || word == 0) {
            return;
        }
        long first = L2Entry.hostOffset(word);
        long bytes = geometry.clusterBytes();
        if (L2Entry.isCompressed(word)) {
            first = L2Entry.compressedHostOffset(word, geometry.clusterBits());
            bytes = L2Entry.compressedBytes(word, geometry.clusterBits());
        } else if (first == 0) {
            return;
        }
        long last = (first + bytes - 1) >>> geometry.clusterBits();
        for (long cluster = first >>> geometry.clusterBits(); cluster <= last; cluster++) {
            Kind there = allocator.metadataAt(cluster, null);
            if (there != null) {
                throw corrupt(slice, entry, word, "its cluster holds " + there.label);
            }
        }
    }

    private boolean isCurrent(Slice slice) {
        synchronized (slice) {
            return map.isCurrent(slice);
        }
    }

    private void compareFlags(Slice slice, LayerHandles handles) throws IOException {
        int step = geometry.l2EntryBytes() / Long.BYTES;
        int entries = slice.words() / step;
        long[] words = new long[entries];
        long[] clusters = new long[entries];
        long[] counts = new long[entries];
        int[] index = new int[entries];
        int n = 0;
        for (int entry = 0; entry < entries; entry++) {
            long word = slice.word(entry * step);
            requireGuestData(slice, entry, word);
            boolean standard = !L2Entry.isCompressed(word) && L2Entry.isAllocated(word, false);
            if (standard && !map.hasExternalData() && geometry.offsetInCluster(L2Entry.hostOffset(word)) == 0) {
                words[n] = word;
                clusters[n] = L2Entry.hostOffset(word) >>> geometry.clusterBits();
                index[n++] = entry * step;
            }
        }
        allocator.counts(clusters, n, counts, handles.file());
        synchronized (slice) {
            for (int i = 0; i < n; i++) {
                // A word that changed meanwhile was changed by a commit, which knows what it owns.
                if (slice.word(index[i]) == words[i]) {
                    slice.set(index[i], truth(slice, index[i] / step, words[i], counts[i]));
                }
            }
            slice.setOwned();
        }
    }

    private long truth(Slice slice, int entry, long word, long count) throws CorruptImageException {
        if (count == 0) {
            throw corrupt(slice, entry, word, "the refcount of its cluster is 0");
        }
        return count == 1 ? word | L2Entry.COPIED : word & ~L2Entry.COPIED;
    }

    private CorruptImageException corrupt(Slice slice, int entry, long word, String reason) {
        int inTable = slice.firstEntry + entry;
        return new CorruptImageException(
                        "L2 table entry " + inTable,
                        slice.tableOffset + (long) inTable * geometry.l2EntryBytes(),
                        "0x" + Long.toHexString(word) + ": " + reason)
                .withPath(map.path());
    }

    /**
     * Gives an L1 entry a table of the active image's own: an empty one, or a copy.
     *
     * @param old host offset of the table to copy, or 0
     */
    private void replaceTable(int l1Index, long old, LayerHandles handles) throws IOException {
        InFlight.Range range = tables.enterOrWait(l1Index, l1Index + 1L);
        if (range == null) {
            return;
        }
        try {
            if (L1Entry.l2Offset(map.l1().word(l1Index)) != old) {
                return;
            }
            allocator.requireNothingElse(
                    map.l1().hostOffset() + (long) l1Index * L1Entry.BYTES, L1Entry.BYTES, Kind.ACTIVE_L1);
            Taken taken = allocator.take(1, Kind.ACTIVE_L2, handles.file(), flush.tableGrowth(handles));
            long offset = taken.cluster() << geometry.clusterBits();
            try {
                writeTable(offset, old, handles.file());
            } catch (IOException | RuntimeException e) {
                allocator.giveBack(taken.cluster(), 1, handles.file());
                throw e;
            }
            map.l1().set(l1Index, L1Entry.of(offset, true));
            flush.l1Changed(l1Index, old == 0 ? null : new Dropped(old >>> geometry.clusterBits(), 1, epochs.stamp()));
        } finally {
            tables.leave(range);
        }
    }

    private void writeTable(long offset, long old, Storage file) throws IOException {
        allocator.requireNothingElse(offset, geometry.clusterBytes(), Kind.ACTIVE_L2);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment table = arena.allocate(geometry.clusterBytes(), 4096);
            if (old != 0) {
                file.read(old, table);
            }
            file.write(offset, table);
        }
    }
}
