package dev.cowherd.testkit;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.zip.Deflater;

/**
 * A small valid QCOW2 image put together byte by byte at the offsets that the specification names, without any code
 * of the engine, and open to every kind of damage.
 *
 * <p>One structure a cluster: 0 header, 1 refcount table, 2 refcount block, 3 L1 table, 4 L2 table, 5 and 6 data, 7
 * compressed data, 8 free for a test (owned, so that its refcount is 1). The disk has sixteen clusters: the first two
 * are data, the third is compressed, the fourth reads as zeros by its flag (version 3), the others are not allocated.
 *
 * <p>Every method that returns this image changes it in place. One thread uses it.
 */
public final class HandMadeImage {
    /** Header field, 4 bytes. */
    public static final int VERSION = 4;
    /** Header field, 8 bytes. */
    public static final int BACKING_OFFSET = 8;
    /** Header field, 4 bytes. */
    public static final int BACKING_SIZE = 16;
    /** Header field, 4 bytes. */
    public static final int CLUSTER_BITS = 20;
    /** Header field, 8 bytes. */
    public static final int SIZE = 24;
    /** Header field, 4 bytes. */
    public static final int CRYPT_METHOD = 32;
    /** Header field, 4 bytes. */
    public static final int L1_SIZE = 36;
    /** Header field, 8 bytes. */
    public static final int L1_OFFSET = 40;
    /** Header field, 8 bytes. */
    public static final int REFCOUNT_TABLE_OFFSET = 48;
    /** Header field, 4 bytes. */
    public static final int REFCOUNT_TABLE_CLUSTERS = 56;
    /** Header field, 4 bytes. */
    public static final int SNAPSHOTS = 60;
    /** Header field, 8 bytes. */
    public static final int SNAPSHOTS_OFFSET = 64;
    /** Header field of version 3, 8 bytes. */
    public static final int INCOMPATIBLE = 72;
    /** Header field of version 3, 8 bytes. */
    public static final int AUTOCLEAR = 88;
    /** Header field of version 3, 4 bytes. */
    public static final int REFCOUNT_ORDER = 96;
    /** Header field of version 3, 4 bytes. */
    public static final int HEADER_LENGTH = 100;
    /** Header field of version 3, 1 byte. */
    public static final int COMPRESSION_TYPE = 104;

    /** Flag of L1 and L2 entries: the refcount is exactly 1. */
    public static final long COPIED = 1L << 63;
    /** Flag of L2 entries. */
    public static final long COMPRESSED = 1L << 62;

    private static final int CLUSTERS = 9;
    private static final int V3_HEADER_BYTES = 112;
    private static final int V2_HEADER_BYTES = 72;

    private final int clusterBits;
    private final boolean extendedL2;
    private final ByteBuffer bytes;
    private long fileBytes;
    private int extensionsEnd;

    private HandMadeImage(int version, int clusterBits, boolean extendedL2) {
        this.clusterBits = clusterBits;
        this.extendedL2 = extendedL2;
        this.bytes = ByteBuffer.allocate(CLUSTERS << clusterBits);
        this.fileBytes = bytes.capacity();
        this.extensionsEnd = version == 3 ? V3_HEADER_BYTES : V2_HEADER_BYTES;
        header(version);
        put64(cluster(1), cluster(2));
        for (int i = 0; i < CLUSTERS; i++) {
            refcount(i, 1);
        }
        put64(cluster(3), cluster(4) | COPIED);
        Arrays.fill(bytes.array(), (int) cluster(5), (int) cluster(6), (byte) 0x55);
        Arrays.fill(bytes.array(), (int) cluster(6), (int) cluster(7), (byte) 0x66);
        l2(0, cluster(5) | COPIED, -1L >>> 32);
        l2(1, cluster(6) | COPIED, -1L >>> 32);
        compressed(2, deflate(plain(0x77, 1)));
        if (version == 3) {
            l2(3, extendedL2 ? 0 : 1, extendedL2 ? -1L << 32 : 0);
        }
    }

    /**
     * A valid image.
     *
     * @param version 2 or 3
     * @param clusterBits 9 to 21
     * @return the image
     */
    public static HandMadeImage of(int version, int clusterBits) {
        return new HandMadeImage(version, clusterBits, false);
    }

    /**
     * A valid image of version 3 with clusters of 64 KiB.
     *
     * @return the image
     */
    public static HandMadeImage plain() {
        return new HandMadeImage(3, 16, false);
    }

    /**
     * A valid image whose clusters of 64 KiB have subclusters.
     *
     * @return the image
     */
    public static HandMadeImage extended() {
        return new HandMadeImage(3, 16, true);
    }

    private void header(int version) {
        put32(0, 0x514649fbL);
        put32(VERSION, version);
        put32(CLUSTER_BITS, clusterBits);
        put64(SIZE, 16L << clusterBits);
        put32(L1_SIZE, 1);
        put64(L1_OFFSET, cluster(3));
        put64(REFCOUNT_TABLE_OFFSET, cluster(1));
        put32(REFCOUNT_TABLE_CLUSTERS, 1);
        if (version == 3) {
            put64(INCOMPATIBLE, extendedL2 ? 1L << 4 : 0);
            put32(REFCOUNT_ORDER, 4);
            put32(HEADER_LENGTH, V3_HEADER_BYTES);
        }
    }

    /**
     * The host offset of a cluster.
     *
     * @param number counted from the file's start
     * @return bytes
     */
    public long cluster(long number) {
        return number << clusterBits;
    }

    /**
     * The bytes of a cluster, to compress.
     *
     * @param value every byte
     * @param clusters how many clusters of it
     * @return the bytes
     */
    public byte[] plain(int value, int clusters) {
        byte[] plain = new byte[clusters << clusterBits];
        Arrays.fill(plain, (byte) value);
        return plain;
    }

    /**
     * Puts a big-endian number.
     *
     * @param offset host offset
     * @param value all its bits count
     * @return this
     */
    public HandMadeImage put64(long offset, long value) {
        bytes.putLong(Math.toIntExact(offset), value);
        return this;
    }

    /**
     * Puts a big-endian number.
     *
     * @param offset host offset
     * @param value its lower 32 bits count
     * @return this
     */
    public HandMadeImage put32(long offset, long value) {
        bytes.putInt(Math.toIntExact(offset), (int) value);
        return this;
    }

    /**
     * Puts a big-endian number.
     *
     * @param offset host offset
     * @param value its lower 16 bits count
     * @return this
     */
    public HandMadeImage put16(long offset, int value) {
        bytes.putShort(Math.toIntExact(offset), (short) value);
        return this;
    }

    /**
     * Puts bytes.
     *
     * @param offset host offset
     * @param value the bytes
     * @return this
     */
    public HandMadeImage put(long offset, byte... value) {
        bytes.put(Math.toIntExact(offset), value);
        return this;
    }

    /**
     * Reads a big-endian number back.
     *
     * @param offset host offset
     * @return its 64 bits
     */
    public long get64(long offset) {
        return bytes.getLong(Math.toIntExact(offset));
    }

    /**
     * Puts an L1 entry.
     *
     * @param index its place in the table
     * @param word the entry
     * @return this
     */
    public HandMadeImage l1(int index, long word) {
        return put64(cluster(3) + 8L * index, word);
    }

    /**
     * Puts an L2 entry.
     *
     * @param index its place in the table
     * @param word the entry, or the first word of an extended one
     * @return this
     */
    public HandMadeImage l2(int index, long word) {
        return put64(cluster(4) + (extendedL2 ? 16L : 8L) * index, word);
    }

    /**
     * Puts an L2 entry with its subclusters' bits, which only an image with subclusters has.
     *
     * @param index its place in the table
     * @param word the first word
     * @param subclusters the second word
     * @return this
     */
    public HandMadeImage l2(int index, long word, long subclusters) {
        l2(index, word);
        return extendedL2 ? put64(cluster(4) + 16L * index + 8, subclusters) : this;
    }

    /**
     * Puts a 16 bit refcount.
     *
     * @param cluster number of the cluster it counts
     * @param count the refcount
     * @return this
     */
    public HandMadeImage refcount(int cluster, int count) {
        return put16(cluster(2) + 2L * cluster, count);
    }

    /**
     * Puts compressed bytes at the start of cluster 7 and lets a guest cluster point at them.
     *
     * @param index of the L2 entry
     * @param stream the compressed bytes, at most a cluster
     * @return this
     */
    public HandMadeImage compressed(int index, byte[] stream) {
        put(cluster(7), stream);
        return l2(index, compressedEntry(cluster(7), stream.length), 0);
    }

    /**
     * The L2 entry of a compressed cluster.
     *
     * @param hostOffset where its stream starts
     * @param length of the stream in bytes, more than 0
     * @return the entry
     */
    public long compressedEntry(long hostOffset, long length) {
        long moreSectors = ((hostOffset + length - 1) >> 9) - (hostOffset >> 9);
        return COMPRESSED | hostOffset | moreSectors << (62 - (clusterBits - 8));
    }

    /**
     * Compresses as QCOW2 does: raw deflate.
     *
     * @param plain the bytes
     * @return the stream
     */
    public static byte[] deflate(byte[] plain) {
        Deflater deflater = new Deflater(Deflater.BEST_COMPRESSION, true);
        try {
            deflater.setInput(plain);
            deflater.finish();
            byte[] stream = new byte[plain.length + 100];
            return Arrays.copyOf(stream, deflater.deflate(stream));
        } finally {
            deflater.end();
        }
    }

    /**
     * Adds a header extension behind those added before.
     *
     * @param type its number
     * @param data its bytes; padding is added
     * @return this
     */
    public HandMadeImage extension(long type, byte[] data) {
        put32(extensionsEnd, type).put32(extensionsEnd + 4, data.length);
        put(extensionsEnd + 8, data);
        extensionsEnd += 8 + (data.length + 7) / 8 * 8;
        return this;
    }

    /**
     * Where the next header extension would go.
     *
     * @return host offset
     */
    public int extensionsEnd() {
        return extensionsEnd;
    }

    /**
     * Names the backing file, at the end of the header cluster's first half so that extensions keep their room.
     *
     * @param name its bytes, in UTF-8 where it is to be valid
     * @return this
     */
    public HandMadeImage backingName(byte[] name) {
        long offset = cluster(1) / 2;
        return put(offset, name).put64(BACKING_OFFSET, offset).put32(BACKING_SIZE, name.length);
    }

    /**
     * Names the backing file and its format.
     *
     * @param name the file
     * @param format {@code qcow2}, {@code raw} or whatever a test wants to claim
     * @return this
     */
    public HandMadeImage backing(String name, String format) {
        extension(0xe2792acaL, format.getBytes(StandardCharsets.UTF_8));
        return backingName(name.getBytes(StandardCharsets.UTF_8));
    }

    /**
     * Puts a snapshot's entry into cluster 8 and says so in the header.
     *
     * @param l1Offset of its L1 table
     * @param l1Entries of its L1 table
     * @return this
     */
    public HandMadeImage snapshot(long l1Offset, long l1Entries) {
        long at = cluster(8);
        put32(SNAPSHOTS, 1).put64(SNAPSHOTS_OFFSET, at);
        put64(at, l1Offset).put32(at + 8, l1Entries).put16(at + 12, 1).put16(at + 14, 4);
        put32(at + 36, 16).put64(at + 48, 16L << clusterBits);
        return put(at + 56, "1snap".getBytes(StandardCharsets.UTF_8));
    }

    /**
     * Sets the file's size: cuts, or lets it end in a hole.
     *
     * @param fileBytes the size
     * @return this
     */
    public HandMadeImage fileBytes(long fileBytes) {
        this.fileBytes = fileBytes;
        return this;
    }

    /**
     * Writes the image.
     *
     * @param path a file that is made or replaced
     * @return the path
     */
    public Path writeTo(Path path) {
        try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
            file.setLength(0);
            file.write(bytes.array(), 0, (int) Math.min(fileBytes, bytes.capacity()));
            file.setLength(fileBytes);
            return path;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
