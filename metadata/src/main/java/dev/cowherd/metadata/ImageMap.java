package dev.cowherd.metadata;

import dev.cowherd.format.CorruptImageException;
import dev.cowherd.format.Geometry;
import dev.cowherd.format.Header;
import dev.cowherd.format.L1Entry;
import dev.cowherd.format.L2Entry;
import dev.cowherd.format.Snapshot;
import dev.cowherd.format.Subclusters;
import dev.cowherd.storage.Storage;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * The map of a QCOW2 layer: L1 whole in memory, L2 by slices. Shared by all queues; a look-up that finds its slice takes no lock.
 *
 * <p>Every entry is judged when a look-up decodes it, so a bad one stops those who need it and nobody else. It is strict where QEMU
 * calls an image corrupt, on reading or in its check.
 */
public final class ImageMap implements LayerMap {
    private static final int SLICE_BYTES = 4096;
    private static final int MIN_PAGE_BITS = 6;

    private final String path;
    private volatile long sizeBytes;
    private final Geometry geometry;
    private final boolean zeroFlagKnown;
    private final boolean externalData;
    private final SliceCache cache;
    // Structures move when a table grows, and with the drained changes of the whole image.
    private volatile HostBounds tableBounds;
    private volatile HostBounds dataBounds;
    private volatile L1Table l1;
    private volatile SliceIndex slices;
    private final int clusterBits;
    private final int clusterBytes;
    private final int tableBits;
    private final boolean extended;
    private final int sliceBytes;
    private final int sliceEntries;
    private final int sliceBits;

    private ImageMap(
            Header header,
            long sizeBytes,
            L1Table l1,
            HostBounds tableBounds,
            HostBounds dataBounds,
            boolean externalData,
            SliceCache cache,
            String path) {
        this.path = path;
        this.sizeBytes = sizeBytes;
        this.geometry = header.geometry();
        this.zeroFlagKnown = header.version() >= 3;
        this.externalData = externalData;
        this.tableBounds = tableBounds;
        this.dataBounds = dataBounds;
        this.l1 = l1;
        this.clusterBits = geometry.clusterBits();
        this.clusterBytes = geometry.clusterBytes();
        this.tableBits = geometry.guestBitsPerL2Table();
        this.extended = geometry.extendedL2();
        this.sliceBytes = Math.min(SLICE_BYTES, clusterBytes);
        this.sliceEntries = sliceBytes / geometry.l2EntryBytes();
        this.sliceBits = clusterBits + Integer.numberOfTrailingZeros(sliceEntries);
        this.cache = cache;
        this.slices = emptyIndex(l1);
    }

    private SliceIndex emptyIndex(L1Table table) {
        int slicesPerTableBits = tableBits - sliceBits;
        return new SliceIndex(
                cache, (long) table.entries() << slicesPerTableBits, Math.max(MIN_PAGE_BITS, slicesPerTableBits));
    }

    /**
     * Reads an image's L1 table and makes its map.
     *
     * @param file the image file
     * @param data the external data file, or null if the guest's data is in the image file
     * @param header the image's header
     * @param snapshot the internal snapshot whose state is mapped, or null for the current one
     * @param cache takes the L2 slices; shared by the layers of a chain
     * @return the map; it keeps no storage
     * @throws IOException if the table cannot be read or does not lie within the file
     */
    public static ImageMap open(
            Storage file, @Nullable Storage data, Header header, @Nullable Snapshot snapshot, SliceCache cache)
            throws IOException {
        long fileBytes = file.sizeBytes();
        long size = header.guestBytes();
        long l1Offset = header.l1Offset();
        int l1Entries = header.l1Entries();
        if (snapshot != null) {
            size = snapshot.diskBytes(header);
            l1Offset = snapshot.l1Offset();
            l1Entries = snapshot.requireL1(header, fileBytes);
            if (size < 0) {
                throw new CorruptImageException(
                        "snapshot table",
                        header.snapshotsOffset(),
                        "snapshot '" + snapshot.id() + "' has a disk of " + Long.toUnsignedString(size) + " bytes");
            }
        }
        Geometry geometry = header.geometry();
        L1Table l1 = L1Table.load(file, l1Offset, l1Entries, geometry.l1EntriesFor(size), geometry, fileBytes);
        HostBounds tableBounds = HostBounds.ofImage(header, l1Offset, l1Entries, fileBytes);
        HostBounds dataBounds = data == null ? tableBounds : HostBounds.ofDataFile(data.sizeBytes());
        return new ImageMap(header, size, l1, tableBounds, dataBounds, data != null, cache, file.name());
    }

    @Override
    public long sizeBytes() {
        return sizeBytes;
    }

    /**
     * Finds the first run of a stretch of guest bytes.
     *
     * @param offset guest offset in bytes
     * @param length bytes, more than zero; the stretch ends within the disk
     * @param handles what to read by, if something must be loaded
     * @param scratch where to read to
     * @param run is set to the run at the offset, at most {@code length} long; empty if it asks for loaded tables only, and one is not
     */
    void locate(long offset, long length, LayerHandles handles, MemorySegment scratch, Run run) throws IOException {
        run.length = 0;
        while (run.length < length) {
            long at = offset + run.length;
            Slice slice = slices.cached(at >>> sliceBits);
            boolean more;
            if (slice == null && run.loadedOnly && hasTable(l1, at >>> tableBits)) {
                break;
            }
            if (slice == null && (slice = load(at, handles, scratch)) == null) {
                more = extend(run, RunKind.UNALLOCATED, 0, unmapped(at, offset + length));
            } else if (extended) {
                more = extendByPairs(run, slice, at, offset + length, handles);
            } else {
                more = extendByWords(run, slice, at, offset + length, handles);
            }
            if (!more) {
                break;
            }
        }
        run.length = Math.min(run.length, length);
    }

    /** Adds a piece to a run, or says that it does not belong to it. */
    private static boolean extend(Run run, RunKind kind, long hostOffset, long length) {
        if (run.length == 0) {
            run.kind = kind;
            run.hostOffset = hostOffset;
        } else if (!run.continuesWith(kind, hostOffset)) {
            return false;
        }
        run.length += length;
        return kind != RunKind.COMPRESSED;
    }

    /** Goes on through the standard entries of one slice; answers whether the run may go on after it. */
    private boolean extendByWords(Run run, Slice slice, long from, long end, LayerHandles handles) throws IOException {
        long at = from;
        int index = (int) (at >>> clusterBits) & sliceEntries - 1;
        while (index < sliceEntries && at < end) {
            long word = slice.word(index);
            int inCluster = (int) at & clusterBytes - 1;
            boolean more;
            if (L2Entry.isCompressed(word)) {
                more = extendCompressed(run, slice, index, word, inCluster, handles);
            } else {
                more = extendStandard(run, slice, index, word, at, handles);
            }
            if (!more) {
                return false;
            }
            at += clusterBytes - inCluster;
            index++;
        }
        return true;
    }

    private boolean extendStandard(Run run, Slice slice, int index, long word, long at, LayerHandles handles)
            throws IOException {
        if (word == 0) {
            return extend(run, RunKind.UNALLOCATED, 0, clusterBytes - ((int) at & clusterBytes - 1));
        }
        judgeStandard(slice, index, word, at, handles);
        int inCluster = (int) at & clusterBytes - 1;
        boolean placed = L2Entry.isAllocated(word, externalData);
        RunKind kind;
        if (L2Entry.isZeroFlag(word)) {
            kind = placed && run.exact ? RunKind.ZERO_ALLOCATED : RunKind.ZERO;
        } else {
            kind = placed ? RunKind.DATA : RunKind.UNALLOCATED;
        }
        return extend(run, kind, L2Entry.hostOffset(word) + inCluster, clusterBytes - inCluster);
    }

    /** Goes on through the extended entries of one slice; answers whether the run may go on after it. */
    private boolean extendByPairs(Run run, Slice slice, long from, long end, LayerHandles handles) throws IOException {
        long at = from;
        int index = (int) (at >>> clusterBits) & sliceEntries - 1;
        int subclusterBits = geometry.subclusterBits();
        while (index < sliceEntries && at < end) {
            int sequence = slice.sequence();
            long word = slice.word(2 * index);
            long bitmap = slice.word(2 * index + 1);
            if (slice.changedSince(sequence)) {
                continue;
            }
            int inCluster = (int) at & clusterBytes - 1;
            boolean more;
            long step;
            if (L2Entry.isCompressed(word)) {
                if (bitmap != 0) {
                    throw corrupt(slice, index, word, "compressed, but its subcluster bitmap is " + hex(bitmap));
                }
                step = (long) clusterBytes - inCluster;
                more = extendCompressed(run, slice, index, word, inCluster, handles);
            } else {
                judgePair(slice, index, word, bitmap, at, handles);
                int subcluster = inCluster >>> subclusterBits;
                int next = subcluster + Subclusters.runLength(bitmap, subcluster);
                step = ((long) next << subclusterBits) - inCluster;
                RunKind kind = kindOf(word, bitmap, subcluster, run.exact);
                more = extend(run, kind, L2Entry.hostOffset(word) + inCluster, step);
            }
            if (!more) {
                return false;
            }
            at += step;
            index = (int) ((at >>> clusterBits) - (from >>> clusterBits))
                    + ((int) (from >>> clusterBits) & sliceEntries - 1);
        }
        return true;
    }

    private RunKind kindOf(long word, long bitmap, int subcluster, boolean exact) {
        if (Subclusters.allocated(bitmap, subcluster)) {
            return RunKind.DATA;
        }
        boolean placed = exact && L2Entry.isAllocated(word, externalData);
        if (Subclusters.zero(bitmap, subcluster)) {
            return placed ? RunKind.ZERO_ALLOCATED : RunKind.ZERO;
        }
        return placed ? RunKind.UNALLOCATED_PLACED : RunKind.UNALLOCATED;
    }

    private boolean extendCompressed(Run run, Slice slice, int index, long word, int inCluster, LayerHandles handles)
            throws IOException {
        if (run.length > 0) {
            return false;
        }
        if (externalData) {
            throw corrupt(slice, index, word, "compressed, but the image has an external data file");
        }
        if (L2Entry.reserved(word, geometry) != 0) {
            throw corrupt(slice, index, word, "compressed and copied at once");
        }
        long hostOffset = L2Entry.compressedHostOffset(word, clusterBits);
        int bytes = L2Entry.compressedBytes(word, clusterBits);
        // The last sector may be cut short by the end of the file, as QEMU allows; the decoder sees whether data is
        // missing.
        String complaint = dataBounds.complaint(handles.file(), hostOffset, bytes, Math.max(1, bytes - clusterBytes));
        if (complaint != null) {
            throw corrupt(slice, index, word, complaint);
        }
        run.compressedBytes = bytes;
        run.offsetInCluster = inCluster;
        return extend(run, RunKind.COMPRESSED, hostOffset, clusterBytes - inCluster);
    }

    private void judgeStandard(Slice slice, int index, long word, long at, LayerHandles handles) throws IOException {
        long reserved = L2Entry.reserved(word, geometry);
        if (reserved != 0) {
            throw corrupt(slice, index, word, "reserved bits " + hex(reserved) + " are set");
        }
        if (!zeroFlagKnown && L2Entry.isZeroFlag(word)) {
            throw corrupt(slice, index, word, "the zero flag is set in an image of version 2");
        }
        if (L2Entry.isAllocated(word, externalData)) {
            judgeHostCluster(slice, index, word, at, handles);
        }
    }

    private void judgePair(Slice slice, int index, long word, long bitmap, long at, LayerHandles handles)
            throws IOException {
        if ((word | bitmap) == 0) {
            return;
        }
        judgeStandard(slice, index, word, at, handles);
        if (Subclusters.invalid(bitmap) != 0) {
            throw corrupt(slice, index, word, "subclusters both allocated and zero, bitmap " + hex(bitmap));
        }
        if ((bitmap & Subclusters.ALL_ALLOCATED) != 0 && !L2Entry.isAllocated(word, externalData)) {
            throw corrupt(slice, index, word, "allocated subclusters without a cluster, bitmap " + hex(bitmap));
        }
    }

    private void judgeHostCluster(Slice slice, int index, long word, long at, LayerHandles handles) throws IOException {
        long hostOffset = L2Entry.hostOffset(word);
        if ((hostOffset & clusterBytes - 1) != 0) {
            throw corrupt(
                    slice, index, word, "host offset " + hex(hostOffset) + " is not a multiple of the cluster size");
        }
        if (hostOffset == slice.tableOffset && !externalData) {
            throw corrupt(slice, index, word, "host offset " + hex(hostOffset) + " is this L2 table");
        }
        if (externalData && hostOffset != (at & -clusterBytes)) {
            throw corrupt(
                    slice,
                    index,
                    word,
                    "offset " + hex(hostOffset) + " in the external data file is not the guest offset "
                            + hex(at & -clusterBytes));
        }
        String complaint = dataBounds.complaint(handles.guestData(), hostOffset, clusterBytes, 0);
        if (complaint != null) {
            throw corrupt(slice, index, word, complaint);
        }
    }

    /** How far the stretch without an L2 table goes: to the next table's, or past the L1 table's end to wherever it is asked for. */
    private long unmapped(long at, long end) {
        long index = at >>> tableBits;
        return index >= l1.entries() ? end - at : ((index + 1) << tableBits) - at;
    }

    /** The slice for a guest offset, loaded if need be, or null if there is no L2 table. */
    @Nullable
    Slice slice(long at, LayerHandles handles, MemorySegment scratch) throws IOException {
        Slice slice = slices.cached(at >>> sliceBits);
        return slice == null ? load(at, handles, scratch) : slice;
    }

    /** The slice for a guest offset if it is in memory; null also if there is no L2 table. */
    @Nullable
    Slice loadedSlice(long at) {
        return slices.cached(at >>> sliceBits);
    }

    private static boolean hasTable(L1Table table, long l1Index) {
        return l1Index < table.entries() && L1Entry.l2Offset(table.word((int) l1Index)) != 0;
    }

    private @Nullable Slice load(long at, LayerHandles handles, MemorySegment scratch) throws IOException {
        L1Table table = l1;
        long l1Index = at >>> tableBits;
        if (!hasTable(table, l1Index)) {
            if (l1Index < table.entries()) {
                judgeTable((int) l1Index, table.word((int) l1Index), handles.file());
            }
            return null;
        }
        return slices.get(at >>> sliceBits, number -> read(number, (int) l1Index, handles.file(), scratch));
    }

    private long judgeTable(int l1Index, long word, Storage file) throws IOException {
        if (L1Entry.reserved(word) != 0) {
            throw l1.corrupt(l1Index, "reserved bits " + hex(L1Entry.reserved(word)) + " are set");
        }
        long tableOffset = L1Entry.l2Offset(word);
        if ((tableOffset & clusterBytes - 1) != 0) {
            throw l1.corrupt(l1Index, "the L2 table's offset is not a multiple of the cluster size");
        }
        if (tableOffset != 0) {
            String complaint = tableBounds.complaint(file, tableOffset, clusterBytes, 1);
            if (complaint != null) {
                throw l1.corrupt(l1Index, complaint);
            }
        }
        return tableOffset;
    }

    /** Reads a slice. The L1 entry is read only now that the slot is taken, so that no slice of a replaced table gets there later. */
    private Slice read(long number, int l1Index, Storage file, MemorySegment scratch) throws IOException {
        long tableOffset = judgeTable(l1Index, l1.word(l1Index), file);
        int inTable = (int) (number << sliceBits >>> clusterBits) & geometry.l2EntriesPerTable() - 1;
        MemorySegment bytes = scratch.asSlice(0, sliceBytes);
        long hostOffset = tableOffset + (long) inTable * geometry.l2EntryBytes();
        SliceLoadEvent event = new SliceLoadEvent();
        event.begin();
        long read = file.read(hostOffset, bytes);
        event.finish(number << sliceBits, hostOffset, sliceBytes);
        if (read < sliceBytes) {
            // The file's last cluster need not be whole; what is missing of it was never written.
            bytes.asSlice(read).fill((byte) 0);
        }
        return new Slice(slices, number, tableOffset, inTable, TableIo.words(bytes, sliceBytes / Long.BYTES));
    }

    /** Whether a slice is the one that look-ups find, so that a change of it is seen and written. The caller has its monitor. */
    boolean isCurrent(Slice slice) {
        long l1Index = slice.number << sliceBits >>> tableBits;
        return !slice.isEvicted() && L1Entry.l2Offset(l1.word((int) l1Index)) == slice.tableOffset;
    }

    /** Lets go of a slice that is not current, so that the next look-up loads the one that is. */
    void forget(Slice slice) {
        cache.forget(slice);
    }

    /** Judges an entry that a write is about to rely on, as a look-up would. */
    void judge(Slice slice, int entry, long guestOffset, LayerHandles handles) throws IOException {
        if (extended) {
            long word = slice.word(2 * entry);
            if (!L2Entry.isCompressed(word)) {
                judgePair(slice, entry, word, slice.word(2 * entry + 1), guestOffset, handles);
            }
        } else if (!L2Entry.isCompressed(slice.word(entry)) && slice.word(entry) != 0) {
            judgeStandard(slice, entry, slice.word(entry), guestOffset, handles);
        }
    }

    Geometry geometry() {
        return geometry;
    }

    L1Table l1() {
        return l1;
    }

    boolean hasExternalData() {
        return externalData;
    }

    boolean knowsZeroFlag() {
        return zeroFlagKnown;
    }

    int sliceBits() {
        return sliceBits;
    }

    int sliceEntries() {
        return sliceEntries;
    }

    String path() {
        return path;
    }

    /** A structure has moved: entries are judged by the new places. */
    void structuresMoved(Header header, long fileBytes) {
        HostBounds bounds = HostBounds.ofImage(header, header.l1Offset(), header.l1Entries(), fileBytes);
        tableBounds = bounds;
        if (!externalData) {
            dataBounds = bounds;
        }
    }

    /** Goes by the L1 table that the header names now. Nothing is in flight and nothing dirty. */
    void reload(Header header, LayerHandles handles) throws IOException {
        reach(header, header.guestBytes(), handles);
        sizeBytes = header.guestBytes();
    }

    /** Loads the L1 table that the header names, for a disk of a size. Nothing is in flight and nothing dirty. */
    void reach(Header header, long bytes, LayerHandles handles) throws IOException {
        long fileBytes = handles.file().sizeBytes();
        replaceL1(L1Table.load(
                handles.file(),
                header.l1Offset(),
                header.l1Entries(),
                geometry.l1EntriesFor(bytes),
                geometry,
                fileBytes));
        structuresMoved(header, fileBytes);
    }

    /** The disk has another size. Nothing is in flight. */
    void resized(long newSizeBytes) {
        sizeBytes = newSizeBytes;
    }

    /** Another L1 table is active, all slices are forgotten. Nothing is in flight and nothing dirty. */
    void replaceL1(L1Table table) {
        l1 = table;
        slices = emptyIndex(table);
    }

    private CorruptImageException corrupt(Slice slice, int index, long word, String reason) {
        int inTable = slice.firstEntry + index;
        return new CorruptImageException(
                        "L2 table entry " + inTable,
                        slice.tableOffset + (long) inTable * geometry.l2EntryBytes(),
                        hex(word) + ": " + reason)
                .withPath(path);
    }

    private static String hex(long value) {
        return "0x" + Long.toHexString(value);
    }
}
