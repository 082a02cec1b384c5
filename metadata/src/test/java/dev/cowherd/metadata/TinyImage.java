package dev.cowherd.metadata;

import dev.cowherd.format.Bytes;
import dev.cowherd.format.CompressionType;
import dev.cowherd.format.Feature;
import dev.cowherd.format.Geometry;
import dev.cowherd.format.Header;
import dev.cowherd.format.L1Entry;
import dev.cowherd.storage.MemoryStorage;
import dev.cowherd.storage.Storage;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.List;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** Tables made by hand in memory: host cluster 0 is the header, 1 the refcount table, from 2 on the L1 table, then what is asked for. */
final class TinyImage {
    private static final ValueLayout.OfLong BIG_ENDIAN =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

    final MemoryStorage file = new MemoryStorage("tiny.qcow2");
    final Geometry geometry;
    final Header header;
    private final TreeMap<Long, Long> tables = new TreeMap<>();
    private long nextCluster;

    TinyImage(int version, int clusterBits, boolean extended, long sizeBytes) throws IOException {
        this.geometry = new Geometry(clusterBits, extended, 4);
        int l1Entries = (int) geometry.l1EntriesFor(sizeBytes);
        long l1Offset = 2L * geometry.clusterBytes();
        this.header = new Header(
                version,
                0,
                0,
                clusterBits,
                sizeBytes,
                Header.CRYPT_NONE,
                l1Entries,
                l1Offset,
                geometry.clusterBytes(),
                1,
                0,
                0,
                extended ? Feature.EXTENDED_L2.mask() : 0,
                0,
                0,
                4,
                104,
                CompressionType.ZLIB,
                Bytes.EMPTY,
                List.of(),
                null);
        this.nextCluster = 2 + geometry.clustersFor(8L * l1Entries);
        grow();
    }

    /** Host offset of a new cluster. */
    long cluster() throws IOException {
        long offset = nextCluster++ * geometry.clusterBytes();
        grow();
        return offset;
    }

    /** Host offset of the L2 table for a guest offset, made if there is none. */
    long table(long guestOffset) throws IOException {
        long l1Index = geometry.l1Index(guestOffset);
        Long known = tables.get(l1Index);
        if (known != null) {
            return known;
        }
        long offset = cluster();
        tables.put(l1Index, offset);
        put(header.l1Offset() + 8 * l1Index, L1Entry.of(offset, true));
        return offset;
    }

    /** Host offset of the L2 entry for a guest offset. */
    long entryAt(long guestOffset) throws IOException {
        return table(guestOffset) + (long) geometry.l2Index(guestOffset) * geometry.l2EntryBytes();
    }

    /** Sets the L2 entry for a guest offset. */
    TinyImage entry(long guestOffset, long... words) throws IOException {
        long at = entryAt(guestOffset);
        for (int i = 0; i < words.length; i++) {
            put(at + 8L * i, words[i]);
        }
        return this;
    }

    void put(long hostOffset, long word) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment bytes = arena.allocate(8);
            bytes.set(BIG_ENDIAN, 0, word);
            file.write(hostOffset, bytes);
        }
    }

    ImageMap map(SliceCache cache) throws IOException {
        return ImageMap.open(file, null, header, null, cache);
    }

    /** A look-up of this image alone. */
    ChainLookup lookup() throws IOException {
        return lookup(map(new SliceCache(1 << 20)), file, null);
    }

    static ChainLookup lookup(LayerMap map, Storage file, @Nullable Storage data) {
        return new ChainLookup(List.of(map), List.of(new LayerHandles(file, data)), scratch());
    }

    static MemorySegment scratch() {
        return Arena.ofAuto().allocate(ChainLookup.SCRATCH_BYTES);
    }

    private void grow() throws IOException {
        file.truncate(nextCluster * geometry.clusterBytes());
    }
}
