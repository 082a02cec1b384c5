package dev.cowherd.metadata;

import dev.cowherd.format.BitmapEntry;
import dev.cowherd.format.BitmapTableEntry;
import dev.cowherd.format.CorruptImageException;
import dev.cowherd.format.Geometry;
import dev.cowherd.format.Header;
import dev.cowherd.format.HeaderExtension;
import dev.cowherd.format.Limits;
import dev.cowherd.format.UnsupportedImageException;
import dev.cowherd.metadata.Allocator.Taken;
import dev.cowherd.metadata.MetadataPlaces.Kind;
import dev.cowherd.storage.Storage;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Reads persistent bitmaps (specification: Bitmap table, Bitmap data) that will be written back: what is judged here is also what makes it
 * safe to give their clusters away later. So no cluster may be claimed twice, hold metadata of another kind, or be counted as free.
 * Used by one thread.
 */
final class BitmapLoader {
    private final Header header;
    private final Geometry geometry;
    private final Allocator allocator;
    private final Storage file;
    private final Set<Long> claimed = new HashSet<>();
    private long memoryBytes;

    /**
     * Reads bitmaps of one image.
     *
     * @param memoryBytes what the bitmaps that are in memory already may take
     */
    BitmapLoader(Header header, Allocator allocator, Storage file, long memoryBytes) {
        this.header = header;
        this.geometry = header.geometry();
        this.allocator = allocator;
        this.file = file;
        this.memoryBytes = memoryBytes;
    }

    /** These belong to a bitmap that is in memory already. */
    void exclude(List<Taken> clusters) {
        for (Taken run : clusters) {
            for (long i = 0; i < run.count(); i++) {
                claimed.add(run.cluster() + i);
            }
        }
    }

    /** A bitmap in memory, and the clusters it has on disk: its table's and its bits'. */
    record Loaded(DirtyBits bits, List<Taken> clusters) {}

    /**
     * Reads the directory, which must lie where the image says that it does.
     *
     * @throws CorruptImageException if it is not whole, or something else is there
     */
    List<BitmapEntry> directory() throws IOException {
        HeaderExtension.Bitmaps extension = Objects.requireNonNull(header.bitmapsExtension());
        long first = extension.directoryOffset() >>> geometry.clusterBits();
        for (long i = 0; i < geometry.clustersFor(extension.directoryBytes()); i++) {
            claim(first + i, Kind.BITMAPS, "bitmap directory");
        }
        byte[] bytes = read(extension.directoryOffset(), Math.toIntExact(extension.directoryBytes()));
        return BitmapEntry.decodeDirectory(ByteBuffer.wrap(bytes), extension);
    }

    /**
     * Reads one bitmap.
     *
     * @throws dev.cowherd.format.ImageFormatException if it cannot be kept right; the others are not concerned
     */
    Loaded load(BitmapEntry entry) throws IOException {
        entry.requireUsable(header, file.sizeBytes());
        String structure = "bitmap '" + entry.name() + "'";
        long diskBytes = header.guestBytes();
        long needed = BitmapEntry.tableEntriesFor(diskBytes, entry.granularityBits(), header.clusterBits());
        if (needed != entry.tableEntries()) {
            throw new CorruptImageException(
                    structure, -1, "bitmap table of " + entry.tableEntries() + " entries, the disk needs " + needed);
        }
        long most = DirtyBits.mostBytes(diskBytes, entry.granularityBits());
        if (most > Limits.MAX_TRACKED_BITMAP_BYTES - memoryBytes) {
            throw new UnsupportedImageException(
                    structure,
                    -1,
                    "bits of " + most + " bytes; no more than " + Limits.MAX_TRACKED_BITMAP_BYTES
                            + " of all bitmaps are kept in memory");
        }
        List<Taken> clusters = new ArrayList<>();
        long table = entry.tableOffset() >>> geometry.clusterBits();
        long tableClusters = geometry.clustersFor(needed * BitmapTableEntry.BYTES);
        for (long i = 0; i < tableClusters; i++) {
            claim(table + i, null, structure);
        }
        clusters.add(new Taken(table, tableClusters));
        DirtyBits bits = new DirtyBits(diskBytes, entry.granularityBits());
        long[] words = WritableImage.readWords(file, entry.tableOffset(), Math.toIntExact(needed));
        for (int i = 0; i < words.length; i++) {
            part(structure, words[i], i, bits, clusters);
        }
        memoryBytes += most;
        return new Loaded(bits, clusters);
    }

    private void part(String structure, long word, int index, DirtyBits bits, List<Taken> clusters) throws IOException {
        long offset = BitmapTableEntry.hostOffset(word);
        if (BitmapTableEntry.reserved(word) != 0 || geometry.offsetInCluster(offset) != 0) {
            throw new CorruptImageException(
                    "table of " + structure,
                    -1,
                    "entry " + index + " 0x" + Long.toHexString(word) + " is misaligned or has reserved bits set");
        }
        if (offset != 0) {
            long cluster = offset >>> geometry.clusterBits();
            claim(cluster, null, structure);
            clusters.add(new Taken(cluster, 1));
            bits.load(index, read(offset, geometry.clusterBytes()));
        } else if (BitmapTableEntry.allOnes(word)) {
            bits.loadOnes(index, geometry.clusterBytes());
        }
    }

    private void claim(long cluster, @Nullable Kind kind, String structure) throws IOException {
        long offset = cluster << geometry.clusterBits();
        if (offset >= file.sizeBytes()) {
            throw new CorruptImageException(structure, offset, "is past the file's end");
        }
        Kind there = allocator.metadataAt(cluster, kind);
        if (there != null) {
            throw new CorruptImageException(structure, offset, "is where " + there.label + " is");
        }
        long[] counts = new long[1];
        allocator.counts(new long[] {cluster}, 1, counts, file);
        if (counts[0] != 1 || !claimed.add(cluster)) {
            throw new CorruptImageException(
                    structure, offset, "its cluster has " + counts[0] + " users, or is used twice by bitmaps");
        }
    }

    private byte[] read(long offset, int length) throws IOException {
        byte[] bytes = new byte[length];
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment segment = arena.allocate(length, 4096);
            // What the file lacks of its last cluster was never written: zeros.
            long read = file.read(offset, segment);
            MemorySegment.copy(segment, 0, MemorySegment.ofArray(bytes), 0, read);
        }
        return bytes;
    }
}
