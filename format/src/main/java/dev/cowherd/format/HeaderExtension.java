package dev.cowherd.format;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One header extension (specification: Header extensions): a typed, length-prefixed piece of data behind the header.
 *
 * <table>
 * <caption>On disk, big-endian</caption>
 * <tr><th>bytes</th><th>meaning</th></tr>
 * <tr><td>0–3</td><td>type; 0 ends the area</td></tr>
 * <tr><td>4–7</td><td>n, the length of the data in bytes</td></tr>
 * <tr><td>8 to 7 + n</td><td>the data</td></tr>
 * <tr><td>to the next multiple of 8</td><td>padding of no meaning; written as zeros</td></tr>
 * </table>
 */
public sealed interface HeaderExtension {
    /** Type of the end of the extension area. */
    int END_TYPE = 0;

    /** Type of {@link BackingFormat}. */
    int BACKING_FORMAT_TYPE = 0xe279_2aca;

    /** Type of {@link FeatureNames}. */
    int FEATURE_NAMES_TYPE = 0x6803_f857;

    /** Type of {@link Bitmaps}. */
    int BITMAPS_TYPE = 0x2385_2875;

    /** Type of {@link EncryptionHeader}. */
    int ENCRYPTION_HEADER_TYPE = 0x0537_be77;

    /** Type of {@link ExternalDataFile}. */
    int EXTERNAL_DATA_FILE_TYPE = 0x4441_5441;

    /**
     * The type on disk.
     *
     * @return the number in bytes 0 to 3
     */
    int type();

    /**
     * The data on disk, without padding.
     *
     * @return a big-endian buffer over the data
     */
    ByteBuffer data();

    /**
     * The format of the backing file.
     *
     * @param format a name such as {@code qcow2} or {@code raw}, at most 15 bytes
     */
    record BackingFormat(String format) implements HeaderExtension {
        @Override
        public int type() {
            return BACKING_FORMAT_TYPE;
        }

        @Override
        public ByteBuffer data() {
            return ByteBuffer.wrap(Text.encode(format));
        }
    }

    /**
     * Names of feature bits, for a reader that does not know them. Each takes 48 bytes: the word (0 incompatible,
     * 1 compatible, 2 autoclear), the bit, and a name of 46 bytes filled up with zeros.
     *
     * @param table the entries as they are; a last, shorter one has no meaning
     */
    record FeatureNames(Bytes table) implements HeaderExtension {
        private static final int ENTRY_BYTES = 48;

        /**
         * The table of all features that this engine knows, as QEMU writes it.
         *
         * @return the extension
         */
        public static FeatureNames ofKnownFeatures() {
            ByteBuffer table = ByteBuffer.allocate(ENTRY_BYTES * Feature.values().length);
            for (Feature feature : Feature.values()) {
                int next = table.position() + ENTRY_BYTES;
                table.put((byte) feature.kind().code())
                        .put((byte) feature.bit())
                        .put(Text.encode(feature.label()))
                        .position(next);
            }
            return new FeatureNames(Bytes.of(table.array()));
        }

        @Override
        public int type() {
            return FEATURE_NAMES_TYPE;
        }

        @Override
        public ByteBuffer data() {
            return table.buffer();
        }

        /**
         * The entries.
         *
         * @return them in the order of the image
         */
        public List<FeatureName> names() {
            ByteBuffer bytes = table.buffer();
            List<FeatureName> names = new ArrayList<>(bytes.remaining() / ENTRY_BYTES);
            for (int at = 0; bytes.limit() - at >= ENTRY_BYTES; at += ENTRY_BYTES) {
                int end = at + 2;
                while (end < at + ENTRY_BYTES && bytes.get(end) != 0) {
                    end++;
                }
                String name = Text.label(bytes.slice(at + 2, end - at - 2));
                names.add(new FeatureName(bytes.get(at) & 0xff, bytes.get(at + 1) & 0xff, name));
            }
            return names;
        }

        /**
         * Looks a name up.
         *
         * @param kind the word
         * @param bit the bit, 0 to 63
         * @return its name, or null if the table has none
         */
        public @Nullable String nameOf(Feature.Kind kind, int bit) {
            for (FeatureName name : names()) {
                if (name.kind() == kind.code() && name.bit() == bit) {
                    return name.name();
                }
            }
            return null;
        }
    }

    /**
     * One entry of the feature name table.
     *
     * @param kind 0 incompatible, 1 compatible, 2 autoclear, others have no meaning
     * @param bit the bit, 0 to 63 if it has a meaning
     * @param name its name
     */
    record FeatureName(int kind, int bit, String name) {}

    /**
     * Where the bitmap directory is (specification: Bitmaps extension). Only to be trusted while
     * {@link Feature#BITMAPS} is set; the values are then within {@link Limits}.
     *
     * @param count number of bitmaps, an unsigned 32-bit number in bytes 0 to 3
     * @param reserved bytes 4 to 7, 0
     * @param directoryBytes length of the directory in bytes, in bytes 8 to 15
     * @param directoryOffset host offset of the directory in bytes, cluster-aligned, in bytes 16 to 23
     */
    record Bitmaps(int count, int reserved, long directoryBytes, long directoryOffset) implements HeaderExtension {
        static final int BYTES = 24;

        @Override
        public int type() {
            return BITMAPS_TYPE;
        }

        @Override
        public ByteBuffer data() {
            return ByteBuffer.allocate(BYTES)
                    .putInt(count)
                    .putInt(reserved)
                    .putLong(directoryBytes)
                    .putLong(directoryOffset)
                    .flip();
        }
    }

    /**
     * The file that guest clusters live in, if {@link Feature#EXTERNAL_DATA_FILE} is set.
     *
     * @param name its name, as stored
     */
    record ExternalDataFile(String name) implements HeaderExtension {
        @Override
        public int type() {
            return EXTERNAL_DATA_FILE_TYPE;
        }

        @Override
        public ByteBuffer data() {
            return ByteBuffer.wrap(Text.encode(name));
        }
    }

    /**
     * Where the header of the disk encryption is; present with LUKS and only then.
     *
     * @param offset host offset in bytes, cluster-aligned, in bytes 0 to 7
     * @param bytes its length in bytes, in bytes 8 to 15
     */
    record EncryptionHeader(long offset, long bytes) implements HeaderExtension {
        static final int BYTES = 16;

        @Override
        public int type() {
            return ENCRYPTION_HEADER_TYPE;
        }

        @Override
        public ByteBuffer data() {
            return ByteBuffer.allocate(BYTES).putLong(offset).putLong(bytes).flip();
        }
    }

    /**
     * An extension of a type that this engine does not know, kept as it is.
     *
     * @param type the type, neither 0 nor one of the others here
     * @param content the data
     */
    record Unknown(int type, Bytes content) implements HeaderExtension {
        @Override
        public ByteBuffer data() {
            return content.buffer();
        }
    }
}
