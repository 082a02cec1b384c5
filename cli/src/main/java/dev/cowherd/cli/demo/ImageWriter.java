package dev.cowherd.cli.demo;

import dev.cowherd.format.Bytes;
import dev.cowherd.format.CompressionType;
import dev.cowherd.format.Feature;
import dev.cowherd.format.Geometry;
import dev.cowherd.format.Header;
import dev.cowherd.format.HeaderExtension;
import dev.cowherd.format.L1Entry;
import dev.cowherd.format.L2Entry;
import dev.cowherd.format.Refcounts;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;

/**
 * Writes a new QCOW2 image on a new file, front to back: first what the guest sees, last the tables that lead there.
 *
 * <p>The file: header, refcount table, one refcount block, L1 table, L2 tables, then data. One refcount block counts 2 GiB of
 * file, which bounds what this writer can hold. An image is good only after {@link #finish()}. For one thread.
 */
final class ImageWriter implements AutoCloseable {
    private static final int REFCOUNT_ORDER = 4;
    private static final Geometry GEOMETRY = new Geometry(DemoContent.CLUSTER_BITS, false, REFCOUNT_ORDER);
    private static final long CLUSTER = GEOMETRY.clusterBytes();
    private static final ValueLayout.OfLong WORD = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    private static final int VERSION = 3;
    private static final int HEADER_BYTES = 112;
    private static final int UNKNOWN_BYTES = HEADER_BYTES - 105;

    private static final long REFCOUNT_TABLE = CLUSTER;
    private static final long REFCOUNT_BLOCK = 2 * CLUSTER;
    private static final long L1_TABLE = 3 * CLUSTER;
    private static final long L2_TABLES = 4 * CLUSTER;

    private final FileChannel file;
    private final Arena arena = Arena.ofConfined();
    private final long sizeBytes;
    private final CompressionType compression;
    private final String backingFile;
    private final String backingFormat;
    private final int l1Entries;
    private final MemorySegment l2Tables;
    private final MemorySegment refcountBlock = arena.allocate(CLUSTER);
    /** The first byte behind all clusters in use. */
    private long end;
    /** Where the next compressed data may start, within a cluster of compressed data; 0 if there is none. */
    private long compressedAt;

    /**
     * Starts an image.
     *
     * @param path a file that does not exist yet
     * @param sizeBytes the disk's size
     * @param compression how {@link #writeCompressed}'s data are coded
     * @param backingFile the image below, by its name beside this one
     * @param backingFormat its format
     * @throws IOException if the file cannot be made
     */
    ImageWriter(Path path, long sizeBytes, CompressionType compression, String backingFile, String backingFormat)
            throws IOException {
        this.sizeBytes = sizeBytes;
        this.compression = compression;
        this.backingFile = backingFile;
        this.backingFormat = backingFormat;
        this.l1Entries = Math.toIntExact(GEOMETRY.l1EntriesFor(sizeBytes));
        this.l2Tables = arena.allocate(l1Entries * CLUSTER);
        this.file = FileChannel.open(path, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
        while (end < L2_TABLES + l1Entries * CLUSTER) {
            allocateCluster();
        }
    }

    /** Stores a cluster as it is. */
    void writeData(long guestOffset, MemorySegment cluster) throws IOException {
        long hostOffset = allocateCluster();
        write(hostOffset, cluster.asByteBuffer());
        map(guestOffset, L2Entry.standard(hostOffset, true, false));
    }

    /** Stores a cluster's compressed form, behind earlier ones in the same host cluster as long as there is room. */
    void writeCompressed(long guestOffset, ByteBuffer data) throws IOException {
        int bytes = data.remaining();
        long room = compressedAt == 0 ? 0 : CLUSTER - GEOMETRY.offsetInCluster(compressedAt);
        if (bytes > room || room == CLUSTER) {
            compressedAt = allocateCluster();
        } else {
            addReference(compressedAt);
        }
        write(compressedAt, data);
        map(guestOffset, L2Entry.compressed(compressedAt, bytes, GEOMETRY.clusterBits()));
        compressedAt += bytes;
    }

    /** Makes a cluster read as zeros, whatever the images below hold. */
    void writeZeros(long guestOffset) {
        map(guestOffset, L2Entry.standard(0, false, true));
    }

    /** Writes the tables and the header; the image is whole then. */
    void finish() throws IOException {
        write(L2_TABLES, l2Tables.asByteBuffer());
        MemorySegment l1Table = arena.allocate(CLUSTER);
        for (int i = 0; i < l1Entries; i++) {
            l1Table.set(WORD, (long) i * L1Entry.BYTES, L1Entry.of(L2_TABLES + i * CLUSTER, true));
        }
        write(L1_TABLE, l1Table.asByteBuffer());
        write(REFCOUNT_BLOCK, refcountBlock.asByteBuffer());
        MemorySegment refcountTable = arena.allocate(CLUSTER);
        refcountTable.set(WORD, 0, REFCOUNT_BLOCK);
        write(REFCOUNT_TABLE, refcountTable.asByteBuffer());
        write(0, header().encode());
        // The last cluster is whole, as QEMU leaves it.
        if (file.size() < end) {
            write(end - 1, ByteBuffer.allocate(1));
        }
    }

    @Override
    public void close() throws IOException {
        arena.close();
        file.close();
    }

    private Header header() {
        List<HeaderExtension> extensions = List.of(new HeaderExtension.BackingFormat(backingFormat));
        int nameOffset = HEADER_BYTES + 64;
        long incompatible = compression == CompressionType.ZLIB ? 0 : Feature.COMPRESSION_TYPE.mask();
        return new Header(
                VERSION,
                nameOffset,
                backingFile.length(),
                GEOMETRY.clusterBits(),
                sizeBytes,
                Header.CRYPT_NONE,
                l1Entries,
                L1_TABLE,
                REFCOUNT_TABLE,
                1,
                0,
                0,
                incompatible,
                0,
                0,
                REFCOUNT_ORDER,
                HEADER_BYTES,
                compression,
                Bytes.of(new byte[UNKNOWN_BYTES]),
                extensions,
                backingFile);
    }

    private long allocateCluster() {
        long hostOffset = end;
        if (hostOffset >> GEOMETRY.clusterBits() >= GEOMETRY.refcountsPerBlock()) {
            throw new IllegalStateException("more clusters than one refcount block counts");
        }
        addReference(hostOffset);
        end += CLUSTER;
        return hostOffset;
    }

    private void addReference(long hostOffset) {
        long cluster = hostOffset >> GEOMETRY.clusterBits();
        Refcounts.set(
                refcountBlock, cluster, REFCOUNT_ORDER, Refcounts.get(refcountBlock, cluster, REFCOUNT_ORDER) + 1);
    }

    private void map(long guestOffset, long entry) {
        l2Tables.set(WORD, (guestOffset >> GEOMETRY.clusterBits()) * Long.BYTES, entry);
    }

    private void write(long offset, ByteBuffer bytes) throws IOException {
        long at = offset;
        while (bytes.hasRemaining()) {
            at += file.write(bytes, at);
        }
    }
}
