package dev.cowherd.metadata;

import dev.cowherd.format.Geometry;
import dev.cowherd.format.Header;
import dev.cowherd.format.L1Entry;
import dev.cowherd.metadata.MetadataPlaces.Kind;
import dev.cowherd.storage.Storage;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * What changes in an image when its disk gets another size, step by step, each durable. No request is in flight, and nothing else changes
 * meanwhile. Used by one thread, once.
 */
public final class SizeChange {
    private final WritableImage image;
    private final LayerHandles handles;
    private final @Nullable Bitmaps bitmaps;

    /**
     * Nothing is changed yet.
     *
     * @param image the image
     * @param handles handles on it
     */
    public SizeChange(WritableImage image, LayerHandles handles) {
        this.image = image;
        this.handles = handles;
        this.bitmaps = image.bitmaps();
    }

    /**
     * Makes room for a disk of another size: an L1 table with enough entries, durable. The size stays. No request is in flight.
     *
     * @param newBytes guest bytes
     * @throws IOException if the host fails; where it is not known then which L1 table the disk names, the image takes no more writes
     */
    public void reachSize(long newBytes) throws IOException {
        image.prepareStructure(handles);
        if (bitmaps != null) {
            bitmaps.prepare(false, handles.file());
        }
        if (image.header().geometry().l1EntriesFor(newBytes) > image.header().l1Entries()) {
            image.corruption.guard(handles, () -> moveL1(newBytes));
        } else {
            image.map.reach(image.header(), newBytes, handles);
        }
    }

    private void moveL1(long newBytes) throws IOException {
        Header old = image.header();
        Geometry geometry = old.geometry();
        long needed = geometry.l1EntriesFor(newBytes);
        long oldBytes = (long) old.l1Entries() * L1Entry.BYTES;
        image.allocator.requireNothingElse(old.l1Offset(), oldBytes, Kind.ACTIVE_L1);
        long clusters = geometry.clustersFor(needed * L1Entry.BYTES);
        long first =
                image.allocator.takeAtEnd(clusters, Kind.ACTIVE_L1, handles.file(), image.flush.tableGrowth(handles));
        image.flush.flush(handles);
        long[] words = WritableImage.readWords(handles.file(), old.l1Offset(), old.l1Entries());
        long[] padded = new long[Math.toIntExact((clusters << geometry.clusterBits()) / L1Entry.BYTES)];
        System.arraycopy(words, 0, padded, 0, words.length);
        try (Arena arena = Arena.ofConfined()) {
            new TableIo(handles.file(), arena, geometry, image.allocator)
                    .writeTable(first << geometry.clusterBits(), padded, Kind.ACTIVE_L1);
        }
        image.flush.syncFile(handles);
        image.header.change(
                handles.file(), now -> now.withL1(Math.toIntExact(needed), first << geometry.clusterBits()));
        image.afterSwitch(() -> image.map.reach(image.header(), newBytes, handles));
        image.allocator.giveBack(
                old.l1Offset() >>> geometry.clusterBits(), geometry.clustersFor(oldBytes), handles.file());
    }

    /** Sees to what the host has at clusters of a disk that grows. */
    public interface HostSpace {
        /**
         * Called before the entries are published. What the guest reads there from then on is what the host has after this.
         *
         * @param file the file that the clusters are in
         * @param hostOffset bytes
         * @param length bytes, more than zero
         * @throws IOException if it cannot be had: the clusters get no entries then
         */
        void provide(Storage file, long hostOffset, long length) throws IOException;
    }

    /**
     * Gives every cluster of a range an entry that points at bytes of the host. What has one already is passed over; only in a data file,
     * where an entry says nothing of the space, that is seen to as well.
     *
     * @param from guest offset in bytes; in a cluster that the range shares with what lies before it, the whole cluster is provided
     * @param to guest bytes where the range ends; {@link #pretendSize} was told of them
     * @param space sees to the host's bytes
     * @throws IOException if the host fails; part of the range may have its entries
     */
    public void mapRange(long from, long to, HostSpace space) throws IOException {
        WriteStep step = new WriteStep();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment scratch = arena.allocate(ChainLookup.SCRATCH_BYTES, 4096);
            for (long at = from; at < to; at += step.length()) {
                image.prepareEntries(at, to - at, handles, scratch, step);
                if (!step.isInPlace()) {
                    publish(step, to, space, scratch);
                } else if (handles.data() != null) {
                    space.provide(step.storage(), step.hostOffset(), step.length());
                }
                image.relieve(handles);
            }
        }
    }

    private void publish(WriteStep step, long to, HostSpace space, MemorySegment scratch) throws IOException {
        // The data file of a disk is as long as the disk, not as its last cluster.
        long end = handles.data() == null ? step.end() : Math.min(step.end(), to);
        try {
            space.provide(step.storage(), step.hostOffset(), end - step.start());
            image.commitWrite(step, handles, scratch);
        } finally {
            // Nothing is left to take back after a commit.
            image.abortWrite(step, handles);
        }
    }

    /**
     * Makes durable what was done so far; clusters that were let go of are free after it. No request is in flight.
     *
     * @throws IOException if the host fails
     */
    public void settle() throws IOException {
        image.settle(handles);
    }

    /**
     * The disk has another size from now on, durably. No request is in flight.
     *
     * @param newBytes guest bytes, which {@link #reachSize} made room for
     * @throws IOException if the host fails
     */
    public void setSize(long newBytes) throws IOException {
        image.settle(handles);
        image.header.change(handles.file(), now -> now.withSize(newBytes));
        image.map.resized(newBytes);
        if (bitmaps != null) {
            bitmaps.resize(newBytes);
        }
    }

    /**
     * The disk is going to shrink: what is done from now on to what lies past that size is nothing that bitmaps have to know.
     *
     * @param newBytes guest bytes
     * @throws IOException if the host fails, or a bitmap cannot get another size
     */
    public void beginShrink(long newBytes) throws IOException {
        image.prepareStructure(handles);
        if (bitmaps != null) {
            bitmaps.prepare(false, handles.file());
            bitmaps.resize(newBytes);
        }
    }

    /**
     * The disk has its old size after all, and may have lost what it was to shrink by.
     *
     * @param newBytes guest bytes as for {@link #beginShrink}
     */
    public void shrinkFailed(long newBytes) {
        if (bitmaps != null) {
            bitmaps.resize(image.header().guestBytes());
            bitmaps.mark(newBytes, image.header().guestBytes() - newBytes);
        }
    }

    /**
     * Gives the L2 tables back that map nothing below a size. What they refer to was discarded and settled; no request is in flight.
     *
     * @param bytes guest bytes that stay
     * @throws IOException if the host fails
     */
    public void dropTablesPast(long bytes) throws IOException {
        Geometry geometry = image.header().geometry();
        for (int i = Math.toIntExact(geometry.l1EntriesFor(bytes));
                i < image.map.l1().entries();
                i++) {
            long offset = L1Entry.l2Offset(image.map.l1().word(i));
            if (offset != 0) {
                image.map.l1().set(i, 0);
                image.flush.l1Changed(i, new Dropped(offset >>> geometry.clusterBits(), 1, image.epochs.stamp()));
            }
        }
        image.settle(handles);
        image.map.replaceL1(image.map.l1());
    }

    /**
     * The map for requests past the disk's end, while its size is being changed.
     *
     * @param bytes guest bytes
     */
    public void pretendSize(long bytes) {
        image.map.resized(bytes);
    }
}
