package dev.cowherd.format;

import dev.cowherd.format.HeaderExtension.BackingFormat;
import dev.cowherd.format.HeaderExtension.Bitmaps;
import dev.cowherd.format.HeaderExtension.EncryptionHeader;
import dev.cowherd.format.HeaderExtension.ExternalDataFile;
import dev.cowherd.format.HeaderExtension.FeatureNames;
import dev.cowherd.format.HeaderExtension.Unknown;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** Walks the header extensions, from the end of the header to the end mark, the backing file's name or the cluster's end. */
final class ExtensionArea {
    private static final String STRUCTURE = "header extension";
    private static final int PREFIX_BYTES = 8;

    private ExtensionArea() {}

    /**
     * Where the area ends, if the bytes at hand tell.
     *
     * @param image the first bytes of the image
     * @param start where the header ends
     * @param limit where the area ends at the latest
     * @return the offset behind the end mark or the last extension, or {@code limit} if the bytes do not reach that far
     */
    static int end(ByteBuffer image, int start, int limit) {
        long at = start;
        while (at <= limit - PREFIX_BYTES && at <= image.limit() - PREFIX_BYTES) {
            if (image.getInt((int) at) == HeaderExtension.END_TYPE) {
                return (int) at + PREFIX_BYTES;
            }
            at += PREFIX_BYTES + padded(Integer.toUnsignedLong(image.getInt((int) at + 4)));
        }
        return Math.max(start, limit);
    }

    /** Reads all extensions; bytes that the image's file does not have are zeros, so they end the area. */
    static List<HeaderExtension> read(ByteBuffer image, int start, int limit) throws ImageFormatException {
        List<HeaderExtension> extensions = new ArrayList<>();
        Set<Integer> seen = new HashSet<>();
        long at = start;
        while (at < limit && at < image.limit()) {
            if (limit - at < PREFIX_BYTES || image.limit() - at < PREFIX_BYTES) {
                throw new CorruptImageException(STRUCTURE, at, "only " + (limit - at) + " bytes left for it");
            }
            int type = image.getInt((int) at);
            long length = Integer.toUnsignedLong(image.getInt((int) at + 4));
            int dataAt = (int) at + PREFIX_BYTES;
            if (length > limit - dataAt) {
                throw new CorruptImageException(
                        STRUCTURE, at, "length " + length + " goes beyond the area, which ends at " + limit);
            }
            if (type == HeaderExtension.END_TYPE) {
                break;
            }
            if (length > image.limit() - dataAt) {
                throw new CorruptImageException(STRUCTURE, at, "length " + length + " goes beyond the end of the file");
            }
            HeaderExtension extension = one(type, image.slice(dataAt, (int) length), at);
            if (!(extension instanceof Unknown) && !seen.add(type)) {
                throw new CorruptImageException(STRUCTURE, at, "a second one of type 0x" + Integer.toHexString(type));
            }
            extensions.add(extension);
            at = dataAt + padded(length);
        }
        return List.copyOf(extensions);
    }

    private static HeaderExtension one(int type, ByteBuffer data, long at) throws ImageFormatException {
        int length = data.remaining();
        return switch (type) {
            case HeaderExtension.BACKING_FORMAT_TYPE -> {
                requireAtMost(length, Limits.MAX_BACKING_FORMAT_BYTES, "backing format", at);
                yield new BackingFormat(Text.fileName(data, "backing format extension", at));
            }
            case HeaderExtension.FEATURE_NAMES_TYPE -> new FeatureNames(Bytes.take(data, length));
            case HeaderExtension.BITMAPS_TYPE -> {
                requireExactly(length, Bitmaps.BYTES, "bitmaps", at);
                yield new Bitmaps(data.getInt(), data.getInt(), data.getLong(), data.getLong());
            }
            case HeaderExtension.EXTERNAL_DATA_FILE_TYPE -> {
                requireAtMost(length, Limits.MAX_DATA_FILE_BYTES, "external data file", at);
                yield new ExternalDataFile(Text.fileName(data, "external data file extension", at));
            }
            case HeaderExtension.ENCRYPTION_HEADER_TYPE -> {
                requireExactly(length, EncryptionHeader.BYTES, "encryption header", at);
                yield new EncryptionHeader(data.getLong(), data.getLong());
            }
            default -> new Unknown(type, Bytes.take(data, length));
        };
    }

    /** What the extensions take at most, with padding and the end mark. */
    static long bytes(List<HeaderExtension> extensions) {
        long bytes = PREFIX_BYTES;
        for (HeaderExtension extension : extensions) {
            bytes += PREFIX_BYTES + padded(extension.data().remaining());
        }
        return bytes;
    }

    /** Writes all extensions, and the end mark where there is room for one, from the buffer's position on. */
    static void write(ByteBuffer image, List<HeaderExtension> extensions, int limit) {
        for (HeaderExtension extension : extensions) {
            ByteBuffer data = extension.data();
            if (data.remaining() > limit - image.position() - PREFIX_BYTES) {
                throw new IllegalStateException("header extensions do not fit into " + limit + " bytes");
            }
            image.putInt(extension.type()).putInt(data.remaining());
            int next = image.position() + (int) padded(data.remaining());
            image.put(data).position(Math.min(next, Math.max(limit, image.position())));
        }
        if (limit - image.position() >= PREFIX_BYTES) {
            image.putInt(HeaderExtension.END_TYPE).putInt(0);
        }
    }

    private static long padded(long length) {
        return (length + 7) & ~7L;
    }

    private static void requireAtMost(int length, int most, String what, long at) throws CorruptImageException {
        if (length > most) {
            throw new CorruptImageException(what + " extension", at, "length " + length + ", at most " + most);
        }
    }

    private static void requireExactly(int length, int exact, String what, long at) throws CorruptImageException {
        if (length != exact) {
            throw new CorruptImageException(what + " extension", at, "length " + length + ", must be " + exact);
        }
    }
}
