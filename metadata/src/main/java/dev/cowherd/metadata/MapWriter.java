package dev.cowherd.metadata;

import dev.cowherd.format.Geometry;
import dev.cowherd.format.L2Entry;
import dev.cowherd.format.Subclusters;
import dev.cowherd.metadata.Allocator.Taken;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * How writes change the map of the active image, in two steps, so that the map never points at bytes that are not there yet: prepare
 * says where the bytes go, and after they are there commit makes the map say so.
 *
 * <p>A write to clusters that are the image's own takes no lock and changes nothing here. One that must allocate has its guest clusters
 * to itself from prepare to commit; whoever else wants one of them waits and looks again. What was read of an entry before that is
 * not relied on after it.
 *
 * <p>Thread-safe; each queue brings its own handles, scratch and step.
 */
final class MapWriter {
    private final ImageMap map;
    private final Allocator allocator;
    private final FlushProcedure flush;
    private final Ownership ownership;
    private final Epochs epochs;
    private final InFlight inFlight;
    private final KeptClusters kept;
    private final Geometry geometry;
    private final int clusterBits;
    private final long clusterBytes;
    private final int sliceBits;
    private final boolean extended;
    private final boolean external;

    MapWriter(
            ImageMap map,
            Allocator allocator,
            FlushProcedure flush,
            Ownership ownership,
            Epochs epochs,
            InFlight inFlight,
            KeptClusters kept) {
        this.map = map;
        this.allocator = allocator;
        this.flush = flush;
        this.ownership = ownership;
        this.epochs = epochs;
        this.inFlight = inFlight;
        this.kept = kept;
        this.geometry = map.geometry();
        this.clusterBits = geometry.clusterBits();
        this.clusterBytes = geometry.clusterBytes();
        this.sliceBits = map.sliceBits();
        this.extended = geometry.extendedL2();
        this.external = map.hasExternalData();
    }

    /** What a write to a cluster needs. */
    private enum Need {
        /** Nothing: the bytes are the image's own. */
        IN_PLACE,
        /** An entry that says so: the host cluster is the image's own. */
        ENTRY,
        /** A host cluster. */
        CLUSTER
    }

    /** See {@link WritableImage#prepareWrite}. */
    void prepare(long at, long length, LayerHandles handles, MemorySegment scratch, WriteStep step) throws IOException {
        long sliceEnd = ((at >>> sliceBits) + 1) << sliceBits;
        long end = Math.min(at + length, sliceEnd);
        while (true) {
            Slice slice = map.slice(at, handles, scratch);
            if (slice == null) {
                ownership.createTable(at, handles);
            } else if (!slice.isOwned()) {
                ownership.establish(slice, at, handles);
            } else if (inPlace(slice, at, end, handles, step) || allocate(at, end, handles, scratch, step)) {
                return;
            }
        }
    }

    /** See {@link WritableImage#isInPlace}. */
    boolean isInPlace(long at, long length, LayerHandles handles, WriteStep step) throws IOException {
        Slice slice = map.loadedSlice(at);
        return slice != null
                && slice.isOwned()
                && (at + length - 1) >>> sliceBits == at >>> sliceBits
                && inPlace(slice, at, at + length, handles, step)
                && step.length() == length;
    }

    /** Fills the step with what can be written in place from an offset on; false if there is nothing. */
    private boolean inPlace(Slice slice, long at, long end, LayerHandles handles, WriteStep step) throws IOException {
        long hostStart = -1;
        long done = at;
        while (done < end) {
            int entry = entry(done);
            long clusterEnd = Math.min(end, (done & -clusterBytes) + clusterBytes);
            long word = wordAt(slice, entry);
            long bitmap = bitmapAt(slice, entry, word);
            if (need(word, bitmap, done, clusterEnd) != Need.IN_PLACE) {
                break;
            }
            ownership.requireGuestData(slice, entry, word);
            long host = L2Entry.hostOffset(word) + (done & (clusterBytes - 1));
            if (hostStart < 0) {
                map.judge(slice, entry, done, handles);
                hostStart = host;
            } else if (host != hostStart + (done - at)) {
                break;
            }
            done = clusterEnd;
        }
        if (done == at) {
            return false;
        }
        step.inPlace(handles.guestData(), at, done - at, hostStart);
        return true;
    }

    private int entry(long at) {
        return (int) (at >>> clusterBits) & (map.sliceEntries() - 1);
    }

    private long wordAt(Slice slice, int entry) {
        return slice.word(extended ? 2 * entry : entry);
    }

    /** The subclusters of an entry whose first word is known; if the pair changed since, bits that ask for a closer look. */
    private long bitmapAt(Slice slice, int entry, long word) {
        if (!extended) {
            return 0;
        }
        int sequence = slice.sequence();
        long bitmap = slice.word(2 * entry + 1);
        return slice.word(2 * entry) == word && !slice.changedSince(sequence) ? bitmap : 0;
    }

    private Need need(long word, long bitmap, long from, long end) {
        if (L2Entry.isCompressed(word)) {
            return Need.CLUSTER;
        }
        if (!external && !(L2Entry.isAllocated(word, false) && L2Entry.copied(word))) {
            return Need.CLUSTER;
        }
        if (extended) {
            long touched = mask(subcluster(from), subcluster(end - 1));
            return (bitmap & touched) == touched ? Need.IN_PLACE : Need.ENTRY;
        }
        return L2Entry.isAllocated(word, external) && !L2Entry.isZeroFlag(word) ? Need.IN_PLACE : Need.ENTRY;
    }

    /**
     * What a write needs that has the cluster to itself. If all of the cluster was made zeros and old requests may still be at its host
     * cluster, it needs another one. Where a part holds data, the old requests do not know the host cluster, or know it rightly.
     */
    private Need needAlone(long word, long bitmap, long from, long end) {
        Need need = need(word, bitmap, from, end);
        boolean holdsData = extended && (bitmap & Subclusters.ALL_ALLOCATED) != 0;
        boolean own = need == Need.ENTRY && !external && !holdsData;
        return own && kept.mayBeInUse(from >>> clusterBits) ? Need.CLUSTER : need;
    }

    private int subcluster(long at) {
        return (int) (at & (clusterBytes - 1)) >>> geometry.subclusterBits();
    }

    /** The allocation bits of subclusters, both ends included. */
    private static long mask(int first, int last) {
        return (Subclusters.ALL_ALLOCATED >>> (Geometry.SUBCLUSTERS - 1 - (last - first))) << first;
    }

    /** Takes the range and the clusters; false if the caller has to look again. */
    private boolean allocate(long at, long end, LayerHandles handles, MemorySegment scratch, WriteStep step)
            throws IOException {
        InFlight.Range range = inFlight.enterOrWait(at >>> clusterBits, ((end - 1) >>> clusterBits) + 1);
        if (range == null) {
            return false;
        }
        boolean planned = false;
        try {
            // Only now that nobody else can change these entries is what they say good until the commit.
            Slice slice = map.slice(at, handles, scratch);
            planned = slice != null && slice.isOwned() && plan(slice, at, end, range, handles, step);
            return planned;
        } finally {
            if (!planned) {
                inFlight.leave(range);
            }
        }
    }

    private boolean plan(Slice slice, long at, long end, InFlight.Range range, LayerHandles handles, WriteStep step)
            throws IOException {
        int entry = entry(at);
        long firstEnd = Math.min(end, (at & -clusterBytes) + clusterBytes);
        long word = wordAt(slice, entry);
        Need need = needAlone(word, bitmapAt(slice, entry, word), at, firstEnd);
        if (need == Need.IN_PLACE) {
            return false;
        }
        int count = 1;
        while (continues(slice, entry, count, at, end, need)) {
            count++;
        }
        for (int i = 0; i < count; i++) {
            map.judge(slice, entry + i, (at & -clusterBytes) + i * clusterBytes, handles);
            ownership.requireGuestData(slice, entry + i, wordAt(slice, entry + i));
        }
        long host;
        step.takenClusters = 0;
        if (need == Need.CLUSTER) {
            Taken taken = allocator.take(count, null, handles.file(), flush.tableGrowth(handles));
            count = (int) taken.count();
            step.takenFirst = taken.cluster();
            step.takenClusters = count;
            host = taken.cluster() << clusterBits;
        } else {
            host = external ? at & -clusterBytes : L2Entry.hostOffset(word);
        }
        fill(slice, at, end, host, count, need, range, handles, step);
        return true;
    }

    /** Whether the next cluster belongs to the same allocation. */
    private boolean continues(Slice slice, int entry, int count, long at, long end, Need need) {
        long next = (at & -clusterBytes) + count * clusterBytes;
        if (next >= end || (extended && need == Need.ENTRY)) {
            return false;
        }
        long word = wordAt(slice, entry + count);
        long bitmap = bitmapAt(slice, entry + count, word);
        if (needAlone(word, bitmap, next, Math.min(end, next + clusterBytes)) != need) {
            return false;
        }
        long first = wordAt(slice, entry);
        return need == Need.CLUSTER
                || external
                || L2Entry.hostOffset(word) == L2Entry.hostOffset(first) + count * clusterBytes;
    }

    private void fill(
            Slice slice,
            long at,
            long end,
            long host,
            int count,
            Need need,
            InFlight.Range range,
            LayerHandles handles,
            WriteStep step) {
        long first = at & -clusterBytes;
        long until = Math.min(end, first + count * clusterBytes);
        long last = (until - 1) & -clusterBytes;
        long from = first;
        long to = last + clusterBytes;
        if (extended) {
            long head = bitmapOf(slice, at);
            long tail = bitmapOf(slice, until - 1);
            int sub = subcluster(at);
            int endSub = subcluster(until - 1);
            if (need == Need.ENTRY) {
                from = Subclusters.allocated(head, sub) ? at : subclusterStart(at);
                to = Subclusters.allocated(tail, endSub)
                        ? until
                        : subclusterStart(until - 1) + geometry.subclusterBytes();
            } else {
                // What the old cluster holds must come along: an entry has one host cluster.
                int low = Math.min(sub, Integer.numberOfTrailingZeros((int) head));
                int high = Math.max(endSub, Integer.SIZE - 1 - Integer.numberOfLeadingZeros((int) tail));
                from = first + (long) low * geometry.subclusterBytes();
                to = last + (high + 1L) * geometry.subclusterBytes();
            }
        }
        step.allocation(handles.guestData(), at, until - at, from, to, host + (from - first), count, range);
    }

    private long subclusterStart(long at) {
        return at & -(long) geometry.subclusterBytes();
    }

    /** The subclusters that the old cluster holds; all of a compressed one. */
    private long bitmapOf(Slice slice, long at) {
        int entry = entry(at);
        return L2Entry.isCompressed(slice.word(2 * entry)) ? Subclusters.ALL_ALLOCATED : slice.word(2 * entry + 1);
    }

    /** See {@link WritableImage#commitWrite}. */
    void commit(WriteStep step, LayerHandles handles, MemorySegment scratch) throws IOException {
        InFlight.Range range = step.range;
        if (range == null) {
            throw new IllegalStateException("nothing to commit: the write was in place");
        }
        List<Dropped> drops = new ArrayList<>(0);
        while (true) {
            Slice slice = map.slice(step.offset(), handles, scratch);
            if (slice == null) {
                throw new IllegalStateException("the L2 table of a write in flight is gone");
            }
            synchronized (slice) {
                if (map.isCurrent(slice)) {
                    publish(slice, step, drops);
                    break;
                }
            }
            map.forget(slice);
        }
        step.range = null;
        inFlight.leave(range);
    }

    private void publish(Slice slice, WriteStep step, List<Dropped> drops) {
        long first = step.offset() & -clusterBytes;
        long firstHost = step.hostOffset() - (step.start() - first);
        DropCollector dropped = new DropCollector(geometry, external);
        for (int i = 0; i < step.clusters; i++) {
            int entry = entry(first) + i;
            long cluster = first + i * clusterBytes;
            long old = wordAt(slice, entry);
            if (step.takenClusters > 0) {
                dropped.entry(old);
            }
            long word = L2Entry.standard(firstHost + i * clusterBytes, true, false);
            if (extended) {
                long before = L2Entry.isCompressed(old) ? 0 : slice.word(2 * entry + 1);
                int low = subcluster(Math.max(step.start(), cluster));
                int high = subcluster(Math.min(step.end(), cluster + clusterBytes) - 1);
                long written = mask(low, high);
                slice.setPair(2 * entry, word, (before & ~(written << Geometry.SUBCLUSTERS)) | written);
            } else {
                slice.set(entry, word);
            }
        }
        // The stamp is taken when every look-up sees the new entries.
        drops.addAll(dropped.stamped(epochs));
        flush.dropped(drops);
        if (slice.markDirty(drops)) {
            flush.sliceChanged(slice);
        }
    }

    /** See {@link WritableImage#abortWrite}. */
    void abort(WriteStep step, LayerHandles handles) throws IOException {
        InFlight.Range range = step.range;
        if (range == null) {
            return;
        }
        step.range = null;
        try {
            if (step.takenClusters > 0) {
                allocator.giveBack(step.takenFirst, step.takenClusters, handles.file());
            }
        } finally {
            inFlight.leave(range);
        }
    }
}
