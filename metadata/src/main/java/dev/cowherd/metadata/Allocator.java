package dev.cowherd.metadata;

import dev.cowherd.format.CorruptImageException;
import dev.cowherd.format.Geometry;
import dev.cowherd.format.L2Entry;
import dev.cowherd.format.Limits;
import dev.cowherd.metadata.MetadataPlaces.Kind;
import dev.cowherd.storage.Storage;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Hands out host clusters and takes them back. A cluster is free when its refcount here is 0, and it gets there only when nobody can
 * touch it any more; so what is free may be taken at once.
 *
 * <p>Thread-safe behind one short mutex, its monitor, under which there is no I/O: what needs a refcount block that is not in memory
 * leaves, loads it and comes again. Free clusters are found by going through the refcount blocks once, as far as needed, from the
 * file's start.
 */
final class Allocator {
    /** With more than one free cluster in so many, a request is pieced together rather than put at the end of the file. */
    private static final long PIECING_SHARE = 32;

    /** A run of host clusters, each with refcount 1, that nothing refers to yet. */
    record Taken(long cluster, long count) {}

    /** Makes the refcount table reach further. */
    interface TableGrowth {
        void reach(long cluster) throws IOException;
    }

    private final String path;
    private final Geometry geometry;
    private final Waits waits;
    private final LongSupplier tableOffset;
    private final Map<Integer, Signal> loading = new HashMap<>();
    private FreeRuns free = new FreeRuns();
    private RefcountStore store;
    private volatile MetadataPlaces places;

    /** No cluster from here on is in use. */
    private long end;
    /** Clusters below the cursor have been looked at; those from the end on are known otherwise. */
    private long scanCursor;

    private long scanEnd;
    /** The cluster that {@link #tryTake} could not tell of. */
    private long wanting;

    Allocator(
            String path,
            Geometry geometry,
            Waits waits,
            LongSupplier tableOffset,
            RefcountStore store,
            MetadataPlaces places,
            long fileBytes) {
        this.path = path;
        this.geometry = geometry;
        this.waits = waits;
        this.tableOffset = tableOffset;
        this.store = store;
        this.places = places;
        this.end = geometry.clustersFor(fileBytes);
        this.scanEnd = end;
    }

    /**
     * Takes free clusters that lie side by side.
     *
     * @param wanted how many, 1 or more
     * @param kind what metadata they will hold, or null for guest data
     * @param file to load refcounts by
     * @param growth makes the refcount table larger where it must be
     * @return as many as there are at one place, at most what was wanted
     * @throws CorruptImageException if a cluster that refcounts call free holds metadata
     */
    Taken take(long wanted, @Nullable Kind kind, Storage file, TableGrowth growth) throws IOException {
        while (true) {
            long cluster;
            boolean reached;
            synchronized (this) {
                Taken taken = tryTake(wanted, kind);
                if (taken != null) {
                    return taken;
                }
                cluster = wanting;
                reached = store.reaches(cluster);
            }
            if (reached) {
                load((int) store.blockOf(cluster), file);
            } else {
                growth.reach(cluster);
            }
        }
    }

    /** The clusters, or null after setting {@link #wanting}. */
    private @Nullable Taken tryTake(long wanted, @Nullable Kind kind) throws CorruptImageException {
        while (true) {
            long start = free.atLeast(wanted);
            if (start < 0 && scanCursor < scanEnd) {
                if (!scanOn()) {
                    return null;
                }
                continue;
            }
            if (start < 0 && free.clusters() > end / PIECING_SHARE) {
                start = free.longest();
            }
            boolean atEnd = start < 0;
            if (atEnd) {
                start = end;
            }
            if (!store.reaches(start) || !store.knows(start)) {
                wanting = start;
                return null;
            }
            int block = (int) store.blockOf(start);
            if (!store.hasBlock(block)) {
                // The first cluster that needs a block holds it: the block counts itself.
                claim(start, 1, Kind.REFCOUNT_BLOCK, block);
            } else if (atEnd && store.get(start) != 0) {
                end++;
            } else {
                long count = Math.min(wanted, ((block + 1L) << store.blockBits()) - start);
                count = atEnd ? zerosFrom(start, count) : Math.min(count, free.lengthAt(start));
                claim(start, count, kind, -1);
                return new Taken(start, count);
            }
        }
    }

    private long zerosFrom(long start, long limit) {
        long count = 1;
        while (count < limit && store.get(start + count) == 0) {
            count++;
        }
        return count;
    }

    /** Counts clusters as used once; for a new block, makes it first. */
    private void claim(long start, long count, @Nullable Kind kind, int newBlock) throws CorruptImageException {
        for (long cluster = start; cluster < start + count; cluster++) {
            Kind there = places.other(cluster, null);
            if (there != null) {
                long offset = cluster << geometry.clusterBits();
                throw new CorruptImageException(
                                "refcount of cluster " + cluster,
                                offset,
                                "it is 0, but " + there.label + " is there; nothing was written to it")
                        .withPath(path);
            }
        }
        if (start == end) {
            end = start + count;
        } else {
            free.take(start, count);
        }
        if (newBlock >= 0) {
            store.create(newBlock, start);
        }
        for (long cluster = start; cluster < start + count; cluster++) {
            store.set(cluster, 1);
            if (kind != null) {
                places.add(cluster, kind);
            }
        }
    }

    /** Looks through the next block for free clusters; false after setting {@link #wanting} if that is not in memory. */
    private boolean scanOn() {
        if (!store.knows(scanCursor)) {
            wanting = scanCursor;
            return false;
        }
        long blockEnd = (store.blockOf(scanCursor) + 1) << store.blockBits();
        long stop = Math.min(scanEnd, blockEnd);
        long runStart = -1;
        for (; scanCursor < stop; scanCursor++) {
            if (store.get(scanCursor) == 0) {
                runStart = runStart < 0 ? scanCursor : runStart;
            } else if (runStart >= 0) {
                free.add(runStart, scanCursor - runStart);
                runStart = -1;
            }
        }
        if (runStart >= 0) {
            free.add(runStart, stop - runStart);
        }
        return true;
    }

    /**
     * Takes a run of clusters at the end of the file, however many refcount blocks it spans.
     *
     * @return its first cluster
     */
    long takeAtEnd(long count, @Nullable Kind kind, Storage file, TableGrowth growth) throws IOException {
        while (true) {
            long cluster;
            boolean reached;
            synchronized (this) {
                cluster = missingAtEnd(count);
                if (cluster < 0) {
                    long start = end;
                    claim(start, count, kind, -1);
                    return start;
                }
                reached = store.reaches(cluster);
            }
            if (reached) {
                load((int) store.blockOf(cluster), file);
            } else {
                growth.reach(cluster);
            }
        }
    }

    /** Makes the blocks for a run at the end; a cluster that cannot be told of yet, or -1. */
    private long missingAtEnd(long count) throws CorruptImageException {
        for (long cluster = end; cluster < end + count; cluster++) {
            if (!store.reaches(cluster) || !store.knows(cluster)) {
                return cluster;
            }
            if (cluster == end && store.get(cluster) != 0 && store.hasBlock((int) store.blockOf(cluster))) {
                end++;
            } else if (!store.hasBlock((int) store.blockOf(cluster))) {
                // The block goes to the front of the run, which starts anew behind it; a block for that place goes
                // first.
                int own = (int) store.blockOf(end);
                claim(end, 1, Kind.REFCOUNT_BLOCK, store.hasBlock(own) ? (int) store.blockOf(cluster) : own);
                cluster = end - 1;
            } else if (store.get(cluster) != 0) {
                end = cluster + 1;
                cluster = end - 1;
            }
        }
        return -1;
    }

    /** What refcounts clusters have. */
    void counts(long[] clusters, int n, long[] counts, Storage file) throws IOException {
        for (int done = 0; done < n; ) {
            synchronized (this) {
                while (done < n && store.knows(clusters[done])) {
                    counts[done] = store.get(clusters[done]);
                    done++;
                }
            }
            if (done < n) {
                load((int) store.blockOf(clusters[done]), file);
            }
        }
    }

    /** Gives clusters back that were taken and that nothing ever referred to. */
    void giveBack(long first, long count, Storage file) throws IOException {
        for (long cluster = first; cluster < first + count; ) {
            synchronized (this) {
                while (cluster < first + count && store.knows(cluster)) {
                    free(cluster++);
                }
            }
            if (cluster < first + count) {
                load((int) store.blockOf(cluster), file);
            }
        }
    }

    /**
     * Takes one reference off clusters, but for those to which it is the last.
     *
     * @param last gets the runs of those; they keep their refcount until {@link #giveBack}
     */
    void dropReferences(long first, long count, List<Taken> last, Storage file) throws IOException {
        for (long cluster = first; cluster < first + count; ) {
            synchronized (this) {
                while (cluster < first + count && store.knows(cluster)) {
                    long had = store.get(cluster);
                    if (had == 0) {
                        throw new CorruptImageException(
                                        "refcount of cluster " + cluster,
                                        cluster << geometry.clusterBits(),
                                        "it is 0, but the cluster was in use")
                                .withPath(path);
                    }
                    if (had == 1) {
                        // What is about to be free, and punched, can have been guest data or a table of the active
                        // image.
                        places.requireNothingElse(cluster, Kind.ACTIVE_L2);
                        append(last, cluster);
                    } else {
                        store.set(cluster, had - 1);
                    }
                    cluster++;
                }
            }
            if (cluster < first + count) {
                load((int) store.blockOf(cluster), file);
            }
        }
    }

    private static void append(List<Taken> runs, long cluster) {
        if (!runs.isEmpty()) {
            Taken tail = runs.getLast();
            if (tail.cluster + tail.count == cluster) {
                runs.set(runs.size() - 1, new Taken(tail.cluster, tail.count + 1));
                return;
            }
        }
        runs.add(new Taken(cluster, 1));
    }

    private void free(long cluster) {
        store.set(cluster, 0);
        places.remove(cluster);
        if (cluster < scanCursor || cluster >= scanEnd) {
            free.add(cluster, 1);
        }
    }

    /** What the disk does not have of the refcounts, copied under the mutex. */
    record Dirty(List<RefcountBlock.Copy> blocks, Map<Integer, Long> tableEntries) {
        boolean isEmpty() {
            return blocks.isEmpty() && tableEntries.isEmpty();
        }
    }

    synchronized Dirty copyDirty() {
        return new Dirty(store.copyDirtyBlocks(), store.takeDirtyTableEntries());
    }

    synchronized void written(Dirty dirty) {
        store.written(dirty.blocks);
    }

    synchronized void failed(Dirty dirty) {
        store.failed(dirty.blocks);
        store.tableEntriesFailed(dirty.tableEntries);
    }

    synchronized boolean isDirty() {
        return store.isDirty();
    }

    synchronized long endCluster() {
        return end;
    }

    /** Goes by other tables from now on. Nothing is in flight and nothing dirty. */
    synchronized void reload(RefcountStore newStore, MetadataPlaces newPlaces, long fileBytes) {
        store = newStore;
        places = newPlaces;
        free = new FreeRuns();
        end = geometry.clustersFor(fileBytes);
        scanCursor = 0;
        scanEnd = end;
    }

    /** What metadata a cluster holds beside what may be there, or null. Takes no lock. */
    @Nullable
    Kind metadataAt(long cluster, @Nullable Kind allowed) {
        return places.other(cluster, allowed);
    }

    /**
     * Called before clusters are written: nothing but a structure of this kind may be there. Takes no lock.
     *
     * @param kind the structure to be written, or null if it is no known one yet
     * @throws CorruptImageException if something else is there
     */
    void requireNothingElse(long hostOffset, long bytes, @Nullable Kind kind) throws CorruptImageException {
        MetadataPlaces known = places;
        long last = (hostOffset + bytes - 1) >>> geometry.clusterBits();
        for (long cluster = hostOffset >>> geometry.clusterBits(); cluster <= last; cluster++) {
            known.requireNothingElse(cluster, kind);
        }
    }

    /**
     * A larger refcount table, and the refcounts that must be on the host before it is: both as of one moment, so that the table names
     * no block whose content is not among them.
     */
    record PlannedGrowth(RefcountTableGrowth growth, Dirty dirty) {}

    /** Plans a refcount table that reaches a cluster, or null if it does by now. Its clusters are not counted as in use yet. */
    synchronized @Nullable PlannedGrowth planGrowth(long cluster) throws IOException {
        if (store.reaches(cluster)) {
            return null;
        }
        RefcountTableGrowth growth = RefcountTableGrowth.plan(geometry, store.copyOfTable(), end, cluster);
        if ((long) growth.tableClusters() << geometry.clusterBits() > Limits.MAX_REFCOUNT_TABLE_BYTES) {
            throw new IOException(path + ": the image file cannot grow: its refcount table would have more than "
                    + Limits.MAX_REFCOUNT_TABLE_BYTES + " bytes; larger clusters allow larger files");
        }
        return new PlannedGrowth(growth, copyDirty());
    }

    /** The planned table is in force: the header names it. */
    synchronized void grown(RefcountTableGrowth growth) {
        if (growth.firstCluster() < end) {
            throw new IllegalStateException("clusters were taken past the refcount table's reach");
        }
        // Blocks that were made while the new table was written are not in it on disk; they are still to be written.
        store.replaceTable(growth);
        for (long cluster = growth.firstCluster(); cluster < growth.endCluster(); cluster++) {
            places.add(
                    cluster,
                    cluster < growth.firstCluster() + growth.blocks() ? Kind.REFCOUNT_BLOCK : Kind.REFCOUNT_TABLE);
        }
        if (growth.firstCluster() > end && scanCursor == scanEnd) {
            // What lies between was never looked at, for there was no end there.
            scanCursor = end;
            scanEnd = growth.firstCluster();
        }
        end = growth.endCluster();
    }

    /** Reads a block, or waits for who is reading it. */
    private void load(int index, Storage file) throws IOException {
        Signal mine = null;
        Signal theirs;
        long offset;
        synchronized (this) {
            if (store.knows((long) index << store.blockBits())) {
                return;
            }
            offset = store.blockOffset(index);
            theirs = loading.get(index);
            if (theirs == null) {
                mine = new Signal();
                loading.put(index, mine);
            }
        }
        if (theirs != null || mine == null) {
            if (theirs != null) {
                theirs.await(waits, WaitEvent.For.REFCOUNTS, index);
            }
            return;
        }
        try {
            byte[] bytes = read(index, offset, file);
            synchronized (this) {
                store.loaded(index, bytes);
            }
        } finally {
            synchronized (this) {
                loading.remove(index);
            }
            mine.fire();
        }
    }

    private byte[] read(int index, long offset, Storage file) throws IOException {
        CorruptImageException complaint;
        long fileBytes = file.sizeBytes();
        synchronized (this) {
            complaint = store.complaint(index, tableOffset.getAsLong(), fileBytes, path);
        }
        if (complaint != null) {
            throw complaint;
        }
        requireNothingElse(offset, geometry.clusterBytes(), Kind.REFCOUNT_BLOCK);
        byte[] bytes = new byte[geometry.clusterBytes()];
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment segment = arena.allocate(bytes.length, L2Entry.SECTOR_BYTES);
            // What the file lacks of its last cluster was never written: zeros.
            long read = file.read(offset, segment);
            MemorySegment.copy(segment, 0, MemorySegment.ofArray(bytes), 0, read);
        }
        return bytes;
    }
}
