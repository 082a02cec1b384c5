package dev.cowherd.metadata;

import dev.cowherd.format.Geometry;
import dev.cowherd.format.L2Entry;
import dev.cowherd.format.Subclusters;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * How zeroing and discarding change the map. Whole clusters (with extended entries, whole subclusters) become entries that say
 * "zeros", so that nothing of a backing file and nothing old shows through; what the format cannot say so is left to the caller to
 * write. Host clusters that entries let go of wait at the reuse gate.
 *
 * <p>A change has its guest clusters to itself while it lasts, like an allocation. Thread-safe.
 */
final class MapEraser {
    private final ImageMap map;
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
    private final boolean zeroFlag;

    MapEraser(
            ImageMap map,
            FlushProcedure flush,
            Ownership ownership,
            Epochs epochs,
            InFlight inFlight,
            KeptClusters kept) {
        this.map = map;
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
        this.zeroFlag = map.knowsZeroFlag();
    }

    /** How a request wants it. */
    enum Mode {
        /** Zeros; host clusters may go. */
        ZERO_MAY_UNMAP,
        /** Zeros; host clusters stay for later writes. */
        ZERO_KEEP,
        /** Whole clusters only, and only where nothing old would show; the rest is left as it is. */
        DISCARD;

        boolean mayUnmap() {
            return this != ZERO_KEEP;
        }
    }

    /**
     * Erases the first stretch.
     *
     * @param belowBytes what lies below this layer ends here; beyond, an unallocated cluster reads as zeros
     */
    void erase(
            long at,
            long length,
            Mode mode,
            long belowBytes,
            LayerHandles handles,
            MemorySegment scratch,
            EraseStep step)
            throws IOException {
        long end = at + length;
        long unit = extended && mode != Mode.DISCARD ? geometry.subclusterBytes() : clusterBytes;
        long whole = at & (unit - 1);
        boolean lastOfDisk = end == map.sizeBytes();
        if (whole != 0 || (end - at < unit && !lastOfDisk)) {
            partial(Math.min(end, (at & -unit) + unit) - at, mode, step);
            return;
        }
        // From here on whole units; the last of the disk may reach past its end.
        long wholeEnd = lastOfDisk ? end : end & -unit;
        while (true) {
            Slice slice = map.slice(at, handles, scratch);
            if (slice == null) {
                long tableEnd = ((at >>> geometry.guestBitsPerL2Table()) + 1) << geometry.guestBitsPerL2Table();
                long stretch = Math.min(wholeEnd, tableEnd) - at;
                if (at >= belowBytes || (mode == Mode.DISCARD && !zeroFlag)) {
                    step.done(stretch);
                    return;
                }
                if (!zeroFlag) {
                    step.writeZeros(Math.min(stretch, Math.max(unit, belowBytes - at)));
                    return;
                }
                ownership.createTable(at, handles);
            } else if (!slice.isOwned()) {
                ownership.establish(slice, at, handles);
            } else {
                long stretchEnd = Math.min(wholeEnd, ((at >>> sliceBits) + 1) << sliceBits);
                if (eraseStretch(at, stretchEnd, mode, belowBytes, handles, scratch, step)) {
                    return;
                }
            }
        }
    }

    private static void partial(long bytes, Mode mode, EraseStep step) {
        if (mode == Mode.DISCARD) {
            step.done(bytes);
        } else {
            step.writeZeros(bytes);
        }
    }

    /** Does it with the clusters to itself; false if the caller has to look again. */
    private boolean eraseStretch(
            long at, long end, Mode mode, long belowBytes, LayerHandles handles, MemorySegment scratch, EraseStep step)
            throws IOException {
        InFlight.Range range = inFlight.enterOrWait(at >>> clusterBits, ((end - 1) >>> clusterBits) + 1);
        if (range == null) {
            return false;
        }
        boolean kept = false;
        try {
            Slice slice = map.slice(at, handles, scratch);
            if (slice == null || !slice.isOwned()) {
                return false;
            }
            for (long cluster = at & -clusterBytes; cluster < end; cluster += clusterBytes) {
                map.judge(slice, entry(cluster), cluster, handles);
                ownership.requireGuestData(slice, entry(cluster), slice.word((extended ? 2 : 1) * entry(cluster)));
            }
            synchronized (slice) {
                if (map.isCurrent(slice)) {
                    change(slice, at, end, mode, belowBytes, step);
                    kept = step.kind() == EraseStep.Kind.ERASE_HOST;
                    step.range = kept ? range : null;
                    return true;
                }
            }
            map.forget(slice);
            return false;
        } finally {
            if (!kept) {
                inFlight.leave(range);
            }
        }
    }

    /** The host's bytes are zeros: lets the clusters go. */
    void finish(EraseStep step) {
        InFlight.Range range = step.range;
        if (range != null) {
            step.range = null;
            inFlight.leave(range);
        }
    }

    private int entry(long at) {
        return (int) (at >>> clusterBits) & (map.sliceEntries() - 1);
    }

    /** Changes entries from an offset on, as long as they are of one kind. The caller has the slice's monitor. */
    private void change(Slice slice, long at, long end, Mode mode, long belowBytes, EraseStep step) {
        DropCollector drops = new DropCollector(geometry, external);
        boolean changed = false;
        long keptFirst = Long.MAX_VALUE;
        long keptEnd = 0;
        long done = at;
        EraseStep.Kind kind = EraseStep.Kind.DONE;
        long host = 0;
        while (done < end) {
            int entry = entry(done);
            long word = slice.word(extended ? 2 * entry : entry);
            long clusterEnd = Math.min(end, (done & -clusterBytes) + clusterBytes);
            if (extended && (external || !isWhole(done, clusterEnd))) {
                clusterEnd = sameAllocation(slice.word(2 * entry + 1), done, clusterEnd);
            }
            EraseStep.Kind here = kindOf(slice, entry, word, done, clusterEnd, mode, belowBytes);
            long hostHere = L2Entry.hostOffset(word) + (done & (clusterBytes - 1));
            if (done == at) {
                kind = here;
                host = hostHere;
            } else if (here != kind || (kind == EraseStep.Kind.ERASE_HOST && hostHere != host + (done - at))) {
                break;
            }
            if (here == EraseStep.Kind.DONE) {
                boolean now = extended
                        ? changePair(slice, entry, done, clusterEnd, mode, belowBytes, drops)
                        : changeWord(slice, entry, word, done, mode, belowBytes, drops);
                changed |= now;
                if (now && L2Entry.isAllocated(slice.word(extended ? 2 * entry : entry), false)) {
                    keptFirst = Math.min(keptFirst, done >>> clusterBits);
                    keptEnd = (done >>> clusterBits) + 1;
                }
            }
            done = clusterEnd;
        }
        if (keptFirst < keptEnd) {
            kept.add(keptFirst, keptEnd);
        }
        if (changed) {
            List<Dropped> dropped = drops.stamped(epochs);
            flush.dropped(dropped);
            if (slice.markDirty(dropped)) {
                flush.sliceChanged(slice);
            }
        }
        switch (kind) {
            case DONE -> step.done(done - at);
            case WRITE_ZEROS -> step.writeZeros(done - at);
            case ERASE_HOST -> step.eraseHost(done - at, host);
        }
    }

    /** Who can make this cluster's bytes zeros: an entry, the host, or whoever writes zeros. */
    private EraseStep.Kind kindOf(Slice slice, int entry, long word, long at, long end, Mode mode, long belowBytes) {
        if (external && L2Entry.isAllocated(word, true) && holdsData(slice, entry, word, at)) {
            // The data file must read as the guest does, so its bytes go and the entry stays.
            return EraseStep.Kind.ERASE_HOST;
        }
        if (extended && !isWhole(at, end)) {
            if (L2Entry.isCompressed(word)) {
                return EraseStep.Kind.WRITE_ZEROS;
            }
            if (L2Entry.copied(word) && Subclusters.allocated(slice.word(2 * entry + 1), subcluster(at))) {
                // Requests in flight may write these subclusters in place. If the entry said zeros, a later write would
                // share the place with those; the host does both in some order.
                return EraseStep.Kind.ERASE_HOST;
            }
        }
        if (!zeroFlag) {
            boolean nothingBelow = (at & -clusterBytes) >= belowBytes;
            if (word == 0 ? !nothingBelow : !(nothingBelow && mode.mayUnmap())) {
                return mode == Mode.DISCARD ? EraseStep.Kind.DONE : EraseStep.Kind.WRITE_ZEROS;
            }
        }
        return EraseStep.Kind.DONE;
    }

    private boolean holdsData(Slice slice, int entry, long word, long at) {
        return extended ? Subclusters.allocated(slice.word(2 * entry + 1), subcluster(at)) : !L2Entry.isZeroFlag(word);
    }

    private int subcluster(long at) {
        return (int) (at & (clusterBytes - 1)) >>> geometry.subclusterBits();
    }

    /** How far the subclusters are all allocated, or all not: the host erases the ones, the entry the others. */
    private long sameAllocation(long bitmap, long at, long end) {
        boolean allocated = Subclusters.allocated(bitmap, subcluster(at));
        long same = (at & -(long) geometry.subclusterBytes()) + geometry.subclusterBytes();
        while (same < end && Subclusters.allocated(bitmap, subcluster(same)) == allocated) {
            same += geometry.subclusterBytes();
        }
        return Math.min(same, end);
    }

    private boolean isWhole(long at, long end) {
        return (at & (clusterBytes - 1)) == 0 && (end - at == clusterBytes || end == map.sizeBytes());
    }

    private boolean changeWord(
            Slice slice, int entry, long word, long at, Mode mode, long belowBytes, DropCollector drops) {
        long changed;
        if (!zeroFlag) {
            // Nothing below shows through, or it is a discard that would show something old: then it stays.
            changed = at >= belowBytes && mode.mayUnmap() ? 0 : word;
        } else if (word == 0) {
            changed = at >= belowBytes ? 0 : L2Entry.ZERO;
        } else if (!L2Entry.isCompressed(word) && L2Entry.copied(word) && !mode.mayUnmap()) {
            changed = word | L2Entry.ZERO;
        } else {
            changed = L2Entry.ZERO;
        }
        if (changed == word) {
            return false;
        }
        slice.set(entry, changed);
        if (L2Entry.isCompressed(word) || L2Entry.hostOffset(changed) == 0) {
            drops.entry(word);
        }
        return true;
    }

    private boolean changePair(
            Slice slice, int entry, long at, long end, Mode mode, long belowBytes, DropCollector drops) {
        long word = slice.word(2 * entry);
        long bitmap = slice.word(2 * entry + 1);
        if ((word | bitmap) == 0 && at >= belowBytes) {
            return false;
        }
        long newWord = word;
        long newBitmap;
        if (isWhole(at, end)) {
            boolean keep = !mode.mayUnmap() && !L2Entry.isCompressed(word) && L2Entry.copied(word);
            newWord = keep ? word : 0;
            newBitmap = Subclusters.ALL_ZERO;
        } else {
            int low = subcluster(at);
            int high = subcluster(end - 1);
            long mask = (Subclusters.ALL_ALLOCATED >>> (Geometry.SUBCLUSTERS - 1 - (high - low))) << low;
            newBitmap = (bitmap & ~mask) | (mask << Geometry.SUBCLUSTERS);
        }
        if (newWord == word && newBitmap == bitmap) {
            return false;
        }
        slice.setPair(2 * entry, newWord, newBitmap);
        if (newWord != word) {
            drops.entry(word);
        }
        return true;
    }
}
