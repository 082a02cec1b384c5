package dev.cowherd.format;

import static dev.cowherd.format.HeaderField.AUTOCLEAR_FEATURES;
import static dev.cowherd.format.HeaderField.BACKING_FILE_BYTES;
import static dev.cowherd.format.HeaderField.BACKING_FILE_OFFSET;
import static dev.cowherd.format.HeaderField.CLUSTER_BITS;
import static dev.cowherd.format.HeaderField.COMPATIBLE_FEATURES;
import static dev.cowherd.format.HeaderField.COMPRESSION_TYPE;
import static dev.cowherd.format.HeaderField.CRYPT_METHOD;
import static dev.cowherd.format.HeaderField.HEADER_LENGTH;
import static dev.cowherd.format.HeaderField.INCOMPATIBLE_FEATURES;
import static dev.cowherd.format.HeaderField.L1_ENTRIES;
import static dev.cowherd.format.HeaderField.L1_OFFSET;
import static dev.cowherd.format.HeaderField.MAGIC;
import static dev.cowherd.format.HeaderField.REFCOUNT_ORDER;
import static dev.cowherd.format.HeaderField.REFCOUNT_TABLE_CLUSTERS;
import static dev.cowherd.format.HeaderField.REFCOUNT_TABLE_OFFSET;
import static dev.cowherd.format.HeaderField.SIZE;
import static dev.cowherd.format.HeaderField.SNAPSHOTS_OFFSET;
import static dev.cowherd.format.HeaderField.SNAPSHOT_COUNT;
import static dev.cowherd.format.HeaderField.V2_LENGTH;
import static dev.cowherd.format.HeaderField.V3_MIN_LENGTH;
import static dev.cowherd.format.HeaderField.VERSION;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Takes the bytes of a header apart; refuses what cannot be taken apart and leaves the rest to {@link HeaderRules}. */
final class HeaderReader {
    private static final String STRUCTURE = "header";

    private HeaderReader() {}

    /** The bytes from the position on, big-endian and from index 0, without touching the caller's buffer. */
    static ByteBuffer view(ByteBuffer bytes) {
        return bytes.slice().order(ByteOrder.BIG_ENDIAN);
    }

    static boolean hasMagic(ByteBuffer image) {
        return image.limit() >= Integer.BYTES && image.getInt(MAGIC) == Header.MAGIC;
    }

    static int bytesNeeded(ByteBuffer image, long fileBytes) throws ImageFormatException {
        int headerLength = requireFrame(image, fileBytes);
        int end = ExtensionArea.end(image, headerLength, extensionLimit(image));
        if (image.getLong(BACKING_FILE_OFFSET) != 0) {
            end = Math.max(end, (int) image.getLong(BACKING_FILE_OFFSET) + backingBytes(image));
        }
        return (int) Math.min(end, fileBytes);
    }

    static Header read(ByteBuffer image, long fileBytes) throws ImageFormatException {
        int headerLength = requireFrame(image, fileBytes);
        if (image.limit() < bytesNeeded(image, fileBytes)) {
            throw new IllegalArgumentException("only " + image.limit() + " of the header's bytes are here");
        }
        boolean v3 = image.getInt(VERSION) >= 3;
        long incompatible = v3 ? image.getLong(INCOMPATIBLE_FEATURES) : 0;
        CompressionType compression = compressionType(image, headerLength, incompatible);
        int tail = Math.max(0, headerLength - COMPRESSION_TYPE - 1);
        List<HeaderExtension> extensions =
                HeaderRules.requireKnownFeatures(incompatible, image, headerLength, extensionLimit(image));
        return new Header(
                image.getInt(VERSION),
                image.getLong(BACKING_FILE_OFFSET),
                image.getInt(BACKING_FILE_BYTES),
                image.getInt(CLUSTER_BITS),
                image.getLong(SIZE),
                image.getInt(CRYPT_METHOD),
                l1Entries(image),
                image.getLong(L1_OFFSET),
                image.getLong(REFCOUNT_TABLE_OFFSET),
                image.getInt(REFCOUNT_TABLE_CLUSTERS),
                image.getInt(SNAPSHOT_COUNT),
                image.getLong(SNAPSHOTS_OFFSET),
                incompatible,
                v3 ? image.getLong(COMPATIBLE_FEATURES) : 0,
                v3 ? image.getLong(AUTOCLEAR_FEATURES) : 0,
                v3 ? image.getInt(REFCOUNT_ORDER) : 4,
                headerLength,
                compression,
                tail == 0 ? Bytes.EMPTY : Bytes.take(image.slice(COMPRESSION_TYPE + 1, tail), tail),
                extensions,
                backingFile(image));
    }

    /** Judges the fields that say how long everything is, and gives the header's length. */
    private static int requireFrame(ByteBuffer image, long fileBytes) throws ImageFormatException {
        if (!hasMagic(image)) {
            throw new CorruptImageException(STRUCTURE, MAGIC, "no QCOW2 magic");
        }
        requireFile(fileBytes, V2_LENGTH);
        int version = image.getInt(VERSION);
        if (version != 2 && version != 3) {
            throw new UnsupportedImageException(
                    STRUCTURE, VERSION, "unsupported version " + Integer.toUnsignedString(version));
        }
        int clusterBits = image.getInt(CLUSTER_BITS);
        if (clusterBits < Limits.MIN_CLUSTER_BITS || clusterBits > Limits.MAX_CLUSTER_BITS) {
            throw new UnsupportedImageException(
                    STRUCTURE, CLUSTER_BITS, "unsupported cluster size 2^" + Integer.toUnsignedString(clusterBits));
        }
        int headerLength = V2_LENGTH;
        if (version >= 3) {
            requireFile(fileBytes, V3_MIN_LENGTH);
            headerLength = image.getInt(HEADER_LENGTH);
            if (headerLength < V3_MIN_LENGTH || headerLength % 8 != 0 || headerLength > 1 << clusterBits) {
                throw new CorruptImageException(
                        STRUCTURE,
                        HEADER_LENGTH,
                        "header length " + Integer.toUnsignedString(headerLength)
                                + ", must be a multiple of 8 from 104 to the cluster size");
            }
            requireFile(fileBytes, headerLength);
        }
        requireBackingName(image, 1 << clusterBits, fileBytes);
        return headerLength;
    }

    private static void requireFile(long fileBytes, int length) throws CorruptImageException {
        if (fileBytes < length) {
            throw new CorruptImageException(
                    STRUCTURE, fileBytes, "the file ends here, a header takes " + length + " bytes");
        }
    }

    private static void requireBackingName(ByteBuffer image, int clusterBytes, long fileBytes)
            throws CorruptImageException {
        long offset = image.getLong(BACKING_FILE_OFFSET);
        if (offset < 0 || offset > clusterBytes) {
            throw new CorruptImageException(
                    STRUCTURE,
                    BACKING_FILE_OFFSET,
                    "backing file name at " + Long.toUnsignedString(offset) + ", outside the first cluster");
        }
        if (offset == 0) {
            return;
        }
        long length = Integer.toUnsignedLong(image.getInt(BACKING_FILE_BYTES));
        if (length > Limits.MAX_BACKING_FILE_BYTES || length > clusterBytes - offset) {
            throw new CorruptImageException(
                    STRUCTURE, BACKING_FILE_BYTES, "backing file name of " + length + " bytes is too long");
        }
        if (length > fileBytes - offset) {
            throw new CorruptImageException(
                    STRUCTURE, BACKING_FILE_OFFSET, "backing file name goes beyond the end of the file");
        }
    }

    /** The extensions end where the backing file's name starts, or else with the cluster. */
    private static int extensionLimit(ByteBuffer image) {
        int offset = (int) image.getLong(BACKING_FILE_OFFSET);
        return offset != 0 ? offset : 1 << image.getInt(CLUSTER_BITS);
    }

    private static int backingBytes(ByteBuffer image) {
        return image.getInt(BACKING_FILE_BYTES);
    }

    private static CompressionType compressionType(ByteBuffer image, int headerLength, long incompatible)
            throws ImageFormatException {
        CompressionType type = headerLength > COMPRESSION_TYPE
                ? CompressionType.ofCode(image.get(COMPRESSION_TYPE) & 0xff)
                : CompressionType.ZLIB;
        boolean bit = (incompatible & Feature.COMPRESSION_TYPE.mask()) != 0;
        if (bit != (type != CompressionType.ZLIB)) {
            throw new CorruptImageException(
                    STRUCTURE,
                    COMPRESSION_TYPE,
                    "compression type " + type.label() + ", but its incompatible feature bit is "
                            + (bit ? "set" : "not set"));
        }
        return type;
    }

    private static int l1Entries(ByteBuffer image) throws CorruptImageException {
        int entries = image.getInt(L1_ENTRIES);
        if (entries < 0 || entries > Limits.MAX_L1_BYTES / L1Entry.BYTES) {
            throw new CorruptImageException(
                    STRUCTURE,
                    L1_ENTRIES,
                    "active L1 table too large: " + Integer.toUnsignedString(entries) + " entries");
        }
        return entries;
    }

    private static @Nullable String backingFile(ByteBuffer image) throws ImageFormatException {
        int offset = (int) image.getLong(BACKING_FILE_OFFSET);
        if (offset == 0 || backingBytes(image) == 0) {
            return null;
        }
        return Text.fileName(image.slice(offset, backingBytes(image)), "backing file name", offset);
    }
}
