package dev.cowherd.metadata;

import dev.cowherd.format.Geometry;
import dev.cowherd.format.L1Entry;
import dev.cowherd.format.RefcountTableEntry;
import dev.cowherd.metadata.FlushStageEvent.Stage;
import dev.cowherd.metadata.MetadataPlaces.Kind;
import dev.cowherd.storage.Storage;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * The one order in which metadata reaches the disk. Nothing writes a table, a refcount or an entry outside of a round of this
 * procedure (but for a new L2 table, which nothing refers to yet):
 *
 * <ol>
 *   <li>copy the dirty slices, then the L1 entries that changed, then the refcounts: what a copied table refers to was counted before;
 *   <li>write the refcounts; for new refcount blocks sync, then write their entries in the refcount table;
 *   <li>sync: guest data, copied data and refcounts are durable;
 *   <li>write the copied slices;
 *   <li>where L1 entries changed, sync, then write them;
 *   <li>sync; only now the references that those writes dropped go to the reuse gate.
 * </ol>
 *
 * <p>A flush returns when a round that began after its call has ended, so concurrent flushes share one. A round with nothing dirty is
 * one sync. A failed sync stops the image: nobody knows then what the disk holds. Another failed write leaves everything dirty, for
 * the next round.
 *
 * <p>Thread-safe. One round at a time, by {@link Turn}; no monitor is held over I/O.
 */
final class FlushProcedure {
    /** More than this is not left waiting for a guest's flush: the file would grow by it. */
    private static final long MAX_DROPPED_BYTES = 64L << 20;

    private final ImageMap map;
    private final ImageHeader header;
    private final Allocator allocator;
    private final ReuseGate gate;
    private final Health health;
    private final Geometry geometry;
    private final int maxDirtySlices;
    private final long maxDroppedClusters;
    /** Clusters that changes since the last round let go of: their space can be used again after the next one only. */
    private final AtomicLong droppedClusters = new AtomicLong();

    private final Turn turn;

    /** Counts rounds; written by who has the turn. */
    private volatile long begun;

    private long succeeded;

    private final Object dirtyLock = new Object();
    private List<Slice> dirtySlices = new ArrayList<>();
    private volatile int dirtyCount;
    private TreeMap<Integer, Long> dirtyL1 = new TreeMap<>();
    private List<Dropped> l1Drops = new ArrayList<>();

    FlushProcedure(
            ImageMap map,
            ImageHeader header,
            Allocator allocator,
            ReuseGate gate,
            Health health,
            long cacheBytes,
            Waits waits) {
        this.map = map;
        this.header = header;
        this.allocator = allocator;
        this.gate = gate;
        this.health = health;
        this.geometry = map.geometry();
        int sliceBytes = map.sliceEntries() * geometry.l2EntryBytes();
        this.maxDirtySlices = Math.clamp(cacheBytes / 4 / sliceBytes, 2, 1 << 20);
        this.maxDroppedClusters = MAX_DROPPED_BYTES >>> geometry.clusterBits();
        this.turn = new Turn(waits, WaitEvent.For.FLUSH);
    }

    /** A slice became dirty. The caller has its monitor. */
    void sliceChanged(Slice slice) {
        synchronized (dirtyLock) {
            dirtySlices.add(slice);
            dirtyCount = dirtySlices.size();
        }
    }

    /** Entries let go of clusters. */
    void dropped(List<Dropped> drops) {
        for (Dropped one : drops) {
            droppedClusters.addAndGet(one.count());
        }
    }

    /** An L1 entry was published. */
    void l1Changed(int index, @Nullable Dropped dropped) {
        synchronized (dirtyLock) {
            dirtyL1.put(index, map.l1().word(index));
            if (dropped != null) {
                l1Drops.add(dropped);
            }
        }
    }

    /** Whether the disk lacks something of the metadata. */
    boolean isDirty() {
        synchronized (dirtyLock) {
            if (!dirtySlices.isEmpty() || !dirtyL1.isEmpty()) {
                return true;
            }
        }
        return allocator.isDirty();
    }

    /** Whether a round should make room: in the cache, or in the file. */
    boolean isTooMuchDirty() {
        return dirtyCount > maxDirtySlices || droppedClusters.get() > maxDroppedClusters;
    }

    /** Makes durable all that had ended before the call. */
    void flush(LayerHandles handles) throws IOException {
        health.requireSound();
        long seen = begun;
        turn.take();
        try {
            if (succeeded > seen) {
                return;
            }
            health.requireSound();
            long round = begun + 1;
            begun = round;
            round(handles);
            succeeded = round;
        } finally {
            turn.give();
        }
    }

    /** Everything that one round copies. */
    private record Work(
            List<Slice.Copy> slices, TreeMap<Integer, Long> l1, List<Dropped> l1Drops, Allocator.Dirty refcounts) {
        boolean isEmpty() {
            return slices.isEmpty() && l1.isEmpty() && refcounts.isEmpty();
        }
    }

    private void round(LayerHandles handles) throws IOException {
        FlushRoundEvent whole = new FlushRoundEvent();
        whole.begin();
        FlushStageEvent.Round stages = new FlushStageEvent.Round();
        Work work = copy();
        stages.ended(Stage.COPY);
        if (work.isEmpty()) {
            sync(handles);
            stages.ended(Stage.SYNC_LAST);
        } else {
            write(work, handles, stages);
        }
        gate.open(handles);
        stages.ended(Stage.REUSE);
        whole.finish(work.slices.size(), work.refcounts.blocks().size(), work.l1.size());
    }

    private Work copy() {
        List<Slice> slices;
        droppedClusters.set(0);
        synchronized (dirtyLock) {
            slices = dirtySlices;
            dirtySlices = new ArrayList<>();
            dirtyCount = 0;
        }
        List<Slice.Copy> copies = new ArrayList<>(slices.size());
        for (Slice slice : slices) {
            copies.add(slice.copyForWriting());
        }
        TreeMap<Integer, Long> l1;
        List<Dropped> drops;
        synchronized (dirtyLock) {
            l1 = dirtyL1;
            drops = l1Drops;
            dirtyL1 = new TreeMap<>();
            l1Drops = new ArrayList<>();
        }
        return new Work(copies, l1, drops, allocator.copyDirty());
    }

    private void write(Work work, LayerHandles handles, FlushStageEvent.Round stages) throws IOException {
        boolean refcountsWritten = false;
        try (Arena arena = Arena.ofConfined()) {
            TableIo io = new TableIo(handles.file(), arena, geometry, allocator);
            writeRefcounts(work.refcounts, io, handles);
            stages.ended(Stage.REFCOUNTS);
            sync(handles);
            refcountsWritten = true;
            allocator.written(work.refcounts);
            stages.ended(Stage.SYNC_DATA);
            io.writeSlices(work.slices);
            stages.ended(Stage.SLICES);
            if (!work.l1.isEmpty()) {
                sync(handles);
                stages.ended(Stage.SYNC_SLICES);
                io.writeWords(map.l1().hostOffset(), L1Entry.BYTES, work.l1, Kind.ACTIVE_L1);
                stages.ended(Stage.L1);
            }
            sync(handles);
            stages.ended(Stage.SYNC_LAST);
        } catch (IOException | RuntimeException | Error e) {
            putBack(work, refcountsWritten);
            throw e;
        }
        for (Slice.Copy copy : work.slices) {
            copy.slice.written();
            gate.add(copy.drops);
        }
        gate.add(work.l1Drops);
    }

    /** What is on the host of refcounts may count more than is used, never less. */
    private void writeRefcounts(Allocator.Dirty refcounts, TableIo io, LayerHandles handles) throws IOException {
        io.writeBlocks(refcounts.blocks());
        if (!refcounts.tableEntries().isEmpty()) {
            sync(handles);
            io.writeWords(
                    header.current().refcountTableOffset(),
                    RefcountTableEntry.BYTES,
                    refcounts.tableEntries(),
                    Kind.REFCOUNT_TABLE);
        }
    }

    private void putBack(Work work, boolean refcountsWritten) {
        if (!refcountsWritten) {
            allocator.failed(work.refcounts);
        }
        for (Slice.Copy copy : work.slices) {
            synchronized (copy.slice) {
                if (copy.slice.writeFailed(copy)) {
                    sliceChanged(copy.slice);
                }
            }
        }
        synchronized (dirtyLock) {
            for (Map.Entry<Integer, Long> entry : work.l1.entrySet()) {
                dirtyL1.putIfAbsent(entry.getKey(), entry.getValue());
            }
            l1Drops.addAll(work.l1Drops);
        }
    }

    /** Makes what was written outside of a round durable. */
    void syncFile(LayerHandles handles) throws IOException {
        sync(handles);
    }

    private void sync(LayerHandles handles) throws IOException {
        try {
            if (handles.data() != null) {
                handles.data().sync();
            }
            handles.file().sync();
        } catch (IOException e) {
            health.stop(lost(e), e);
            throw e;
        }
    }

    /** Whether anybody has waited for a flush yet. */
    boolean hasFlushed() {
        return begun > 0;
    }

    /** Has the host begin with what a flush would wait for. What it says of a failure is as good as what a sync says. */
    void startWriteback(Storage guestData, long offset, long length) throws IOException {
        try {
            guestData.startWriteback(offset, length);
        } catch (IOException e) {
            health.stop(lost(e), e);
            throw e;
        }
    }

    private static String lost(IOException e) {
        return "the host failed to make writes durable (" + e.getMessage() + ")";
    }

    /** Makes the refcount table reach further, in a turn of its own. */
    Allocator.TableGrowth tableGrowth(LayerHandles handles) {
        return cluster -> {
            health.requireSound();
            turn.take();
            try {
                growRefcountTable(cluster, handles);
            } finally {
                turn.give();
            }
        };
    }

    private void growRefcountTable(long cluster, LayerHandles handles) throws IOException {
        long oldOffset = header.current().refcountTableOffset();
        int oldClusters = header.current().refcountTableClusters();
        allocator.requireNothingElse(oldOffset, (long) oldClusters << geometry.clusterBits(), Kind.REFCOUNT_TABLE);
        Allocator.PlannedGrowth planned = allocator.planGrowth(cluster);
        if (planned == null) {
            return;
        }
        RefcountTableGrowth growth = planned.growth();
        Allocator.Dirty refcounts = planned.dirty();
        boolean written = false;
        try (Arena arena = Arena.ofConfined()) {
            TableIo io = new TableIo(handles.file(), arena, geometry, allocator);
            writeRefcounts(refcounts, io, handles);
            growth.write(io);
            sync(handles);
            allocator.written(refcounts);
            written = true;
        } finally {
            if (!written) {
                allocator.failed(refcounts);
            }
        }
        header.change(handles.file(), now -> now.withRefcountTable(growth.tableOffset(), growth.tableClusters()));
        allocator.grown(growth);
        try {
            map.structuresMoved(header.current(), handles.file().sizeBytes());
        } catch (IOException e) {
            health.stop("its refcount table has moved, and the file's size is not known", e);
            throw e;
        }
        allocator.giveBack(oldOffset >>> geometry.clusterBits(), oldClusters, handles.file());
    }
}
