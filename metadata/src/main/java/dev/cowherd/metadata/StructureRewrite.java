package dev.cowherd.metadata;

import dev.cowherd.format.CorruptImageException;
import dev.cowherd.format.Geometry;
import dev.cowherd.format.Header;
import dev.cowherd.format.L2Entry;
import dev.cowherd.format.Limits;
import dev.cowherd.format.RefcountTableEntry;
import dev.cowherd.format.Refcounts;
import dev.cowherd.metadata.MetadataPlaces.Kind;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * A change of many refcounts and tables that is there whole or not at all: a second set of refcounts is made beside the first, new
 * tables go to clusters that neither uses, and one write of the header's first sector switches over. At every cut before it the
 * image is as it was, at every cut after it the change is complete; no table in use is touched.
 *
 * <p>Made while no request is in flight and nothing is dirty. Used by one thread, once.
 */
final class StructureRewrite {
    private final WritableImage image;
    private final LayerHandles handles;
    private final Geometry geometry;
    private final int blockBits;
    /** The refcounts to be, by block: whole blocks as on disk. */
    private final TreeMap<Integer, byte[]> counts = new TreeMap<>();

    private final TreeMap<Long, byte[]> writes = new TreeMap<>();
    /** Nothing that is there already lies from this cluster on. */
    private final long limit;

    private long end;

    StructureRewrite(WritableImage image, LayerHandles handles) throws IOException {
        this.image = image;
        this.handles = handles;
        this.geometry = image.header().geometry();
        this.blockBits = geometry.refcountsPerBlockBits();
        this.limit = image.allocator.endCluster();
        this.end = limit;
        readCounts();
    }

    private void readCounts() throws IOException {
        long[] table = WritableImage.readWords(
                handles.file(), image.header().refcountTableOffset(), tableEntries(image.header()));
        Set<Long> blocks = new HashSet<>();
        for (int i = 0; i < table.length; i++) {
            long offset = RefcountTableEntry.blockOffset(table[i]);
            if (offset != 0) {
                requireWithin(offset >>> geometry.clusterBits());
                image.allocator.requireNothingElse(offset, 1, Kind.REFCOUNT_BLOCK);
                if (!blocks.add(offset)) {
                    throw corrupt(offset >>> geometry.clusterBits(), "two entries of the refcount table name it");
                }
                counts.put(i, read(offset, geometry.clusterBytes()));
            }
        }
        for (Map.Entry<Integer, byte[]> block : counts.entrySet()) {
            end = Math.max(end, ((long) block.getKey() << blockBits) + usedEntries(block.getValue()));
        }
        if (end > L2Entry.OFFSET_MASK >>> geometry.clusterBits()) {
            throw corrupt(end - 1, "it has a refcount, but no entry could name it");
        }
        // The old set goes with the switch.
        for (long word : table) {
            if (RefcountTableEntry.blockOffset(word) != 0) {
                set(RefcountTableEntry.blockOffset(word) >>> geometry.clusterBits(), 0);
            }
        }
        long tableCluster = image.header().refcountTableOffset() >>> geometry.clusterBits();
        for (int i = 0; i < image.header().refcountTableClusters(); i++) {
            set(tableCluster + i, 0);
        }
    }

    private static int tableEntries(Header header) {
        return Math.toIntExact(
                ((long) header.refcountTableClusters() << header.clusterBits()) / RefcountTableEntry.BYTES);
    }

    /** How many refcounts of a block there are up to the last that is not 0, rounded up to whole bytes. */
    private long usedEntries(byte[] block) {
        int last = block.length - 1;
        while (last >= 0 && block[last] == 0) {
            last--;
        }
        return ((last + 1L) * Byte.SIZE) >>> geometry.refcountOrder();
    }

    byte[] read(long offset, int length) throws IOException {
        byte[] bytes = new byte[length];
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment segment = arena.allocate(length, 4096);
            handles.file().read(offset, segment);
            MemorySegment.copy(segment, 0, MemorySegment.ofArray(bytes), 0, length);
        }
        return bytes;
    }

    private CorruptImageException corrupt(long cluster, String reason) {
        return new CorruptImageException("cluster " + cluster, cluster << geometry.clusterBits(), reason)
                .withPath(image.map.path());
    }

    private void requireWithin(long cluster) throws CorruptImageException {
        if (cluster >= limit) {
            throw corrupt(cluster, "it is in use, but lies past the file's end");
        }
    }

    /** What is wrong with the place of an L2 table, or null. */
    @Nullable
    String complaintAboutTable(long offset) {
        long cluster = offset >>> geometry.clusterBits();
        if (geometry.offsetInCluster(offset) != 0) {
            return "the L2 table's offset is not a multiple of the cluster size";
        }
        if (cluster >= limit) {
            return "the L2 table lies past the file's end";
        }
        Kind there = image.allocator.metadataAt(cluster, Kind.ACTIVE_L2);
        return there == null || there == Kind.INACTIVE_L2 ? null : "the L2 table's cluster holds " + there.label;
    }

    /** The refcount to be of a cluster that is there already. */
    long get(long cluster) throws CorruptImageException {
        requireWithin(cluster);
        byte[] block = counts.get(Math.toIntExact(cluster >>> blockBits));
        return block == null
                ? 0
                : Refcounts.get(
                        MemorySegment.ofArray(block), cluster & (1L << blockBits) - 1, geometry.refcountOrder());
    }

    private void set(long cluster, long count) {
        byte[] block = counts.computeIfAbsent(
                Math.toIntExact(cluster >>> blockBits), index -> new byte[geometry.clusterBytes()]);
        Refcounts.set(MemorySegment.ofArray(block), cluster & ((1L << blockBits) - 1), geometry.refcountOrder(), count);
    }

    /** Adds to the refcount to be of a cluster. */
    void add(long cluster, int difference) throws IOException {
        long now = get(cluster);
        if (difference < 0 && now == 0) {
            throw corrupt(cluster, "its refcount is 0, but it is in use");
        }
        if (difference > 0 && now == geometry.maxRefcount()) {
            throw new IOException(image.map.path() + ": cluster " + cluster + " cannot be shared by more than " + now
                    + " users with refcounts of " + geometry.refcountBits()
                    + " bits; wider ones are chosen when an image is made (refcount_bits)");
        }
        set(cluster, now + difference);
    }

    /** Adds to the refcounts to be of all that a standard or compressed entry refers to. */
    void addEntry(long word, int difference) throws IOException {
        int bits = geometry.clusterBits();
        if (L2Entry.isCompressed(word)) {
            long start = L2Entry.compressedHostOffset(word, bits);
            long last = start + L2Entry.compressedBytes(word, bits) - 1;
            for (long cluster = start >>> bits; cluster <= last >>> bits; cluster++) {
                addData(cluster, difference);
            }
        } else if (L2Entry.isAllocated(word, false)) {
            addData(L2Entry.hostOffset(word) >>> bits, difference);
        }
    }

    private void addData(long cluster, int difference) throws IOException {
        Kind there = image.allocator.metadataAt(cluster, null);
        if (there != null) {
            throw corrupt(cluster, "an entry calls it guest data, but it holds " + there.label);
        }
        add(cluster, difference);
    }

    /** Takes clusters side by side that nothing uses, before or after; each with one user. */
    long take(long bytes) {
        long count = Math.max(1, geometry.clustersFor(bytes));
        long first = end;
        end += count;
        for (long cluster = first; cluster < end; cluster++) {
            set(cluster, 1);
        }
        return first << geometry.clusterBits();
    }

    /** Takes clusters for bytes that are to be there with the switch. */
    long place(byte[] bytes) {
        long offset = take(bytes.length);
        writes.put(offset, bytes);
        return offset;
    }

    /**
     * Writes everything and switches over.
     *
     * @param change the header to be, but for its refcount table
     */
    void switchTo(UnaryOperator<Header> change) throws IOException {
        long[] table = placeCounts();
        long tableOffset = writes.lastKey();
        int tableClusters = Math.toIntExact(geometry.clustersFor((long) table.length * RefcountTableEntry.BYTES));
        try (Arena arena = Arena.ofConfined()) {
            TableIo io = new TableIo(handles.file(), arena, geometry, image.allocator);
            for (Map.Entry<Long, byte[]> write : writes.entrySet()) {
                io.writeBytes(write.getKey(), write.getValue(), null);
            }
            io.writeTable(tableOffset, table, null);
        }
        image.flush.syncFile(handles);
        image.header.change(handles.file(), now -> change.apply(now).withRefcountTable(tableOffset, tableClusters));
    }

    /** Finds places for the refcount blocks and, behind them, the table: they count themselves. */
    private long[] placeCounts() throws IOException {
        List<Integer> indexes = new ArrayList<>();
        int tableClusters = Math.max(1, image.header().refcountTableClusters());
        long first = end;
        while (true) {
            long stop = first + indexes.size() + tableClusters;
            for (long cluster = first; cluster < stop; cluster += 1) {
                counts.computeIfAbsent(
                        Math.toIntExact(cluster >>> blockBits), index -> new byte[geometry.clusterBytes()]);
            }
            long entries = counts.lastKey() + 1L;
            int neededTable = Math.toIntExact(geometry.clustersFor(entries * RefcountTableEntry.BYTES));
            if (indexes.size() == counts.size() && neededTable <= tableClusters) {
                break;
            }
            indexes = new ArrayList<>(counts.keySet());
            tableClusters = Math.max(tableClusters, neededTable);
        }
        if ((long) tableClusters << geometry.clusterBits() > Limits.MAX_REFCOUNT_TABLE_BYTES) {
            throw new IOException(image.map.path() + ": the refcount table would have more than "
                    + Limits.MAX_REFCOUNT_TABLE_BYTES + " bytes; larger clusters allow larger files");
        }
        long offset = take((long) (indexes.size() + tableClusters) << geometry.clusterBits());
        long[] table = new long[Math.toIntExact(((long) tableClusters << geometry.clusterBits()) / Long.BYTES)];
        for (int index : indexes) {
            table[index] = offset;
            writes.put(offset, Arrays.copyOf(counts.get(index), geometry.clusterBytes()));
            offset += geometry.clusterBytes();
        }
        writes.put(offset, new byte[0]);
        return table;
    }
}
