package dev.cowherd.format;

import dev.cowherd.format.HeaderExtension.Bitmaps;
import dev.cowherd.format.HeaderExtension.EncryptionHeader;
import dev.cowherd.format.HeaderExtension.FeatureNames;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.StringJoiner;
import org.jspecify.annotations.Nullable;

/** Judges a header that was taken apart: features, ranges, and that its tables lie within the file. */
final class HeaderRules {
    private static final String STRUCTURE = "header";

    private HeaderRules() {}

    /** Reads the extensions, or names the unknown incompatible features by the table that may be among them. */
    static List<HeaderExtension> requireKnownFeatures(long incompatible, ByteBuffer image, int start, int limit)
            throws ImageFormatException {
        long unknown = incompatible & ~Feature.knownMask(Feature.Kind.INCOMPATIBLE);
        if (unknown == 0) {
            return ExtensionArea.read(image, start, limit);
        }
        FeatureNames names = null;
        ImageFormatException unreadable = null;
        try {
            for (HeaderExtension extension : ExtensionArea.read(image, start, limit)) {
                if (extension instanceof FeatureNames table) {
                    names = table;
                }
            }
        } catch (ImageFormatException e) {
            unreadable = e;
        }
        UnsupportedImageException refused = new UnsupportedImageException(
                STRUCTURE, HeaderField.INCOMPATIBLE_FEATURES, "unsupported features: " + describe(unknown, names));
        if (unreadable != null) {
            refused.addSuppressed(unreadable);
        }
        throw refused;
    }

    private static String describe(long bits, @Nullable FeatureNames names) {
        StringJoiner features = new StringJoiner(", ");
        for (long rest = bits; rest != 0; rest &= rest - 1) {
            int bit = Long.numberOfTrailingZeros(rest);
            String name = names == null ? null : names.nameOf(Feature.Kind.INCOMPATIBLE, bit);
            features.add((name == null ? "unknown" : name) + " (incompatible bit " + bit + ")");
        }
        return features.toString();
    }

    /** Everything but the tables that a check can do without. */
    static void require(Header header, long fileBytes) throws ImageFormatException {
        requireOrders(header);
        int crypt = header.cryptMethod();
        if (crypt < Header.CRYPT_NONE || crypt > Header.CRYPT_LUKS) {
            throw new UnsupportedImageException(
                    STRUCTURE,
                    HeaderField.CRYPT_METHOD,
                    "unknown encryption method " + Integer.toUnsignedString(crypt));
        }
        long size = header.sizeBytes();
        if (size < 0) {
            throw new CorruptImageException(
                    STRUCTURE, HeaderField.SIZE, "disk size " + Long.toUnsignedString(size) + " is too large");
        }
        requireTable(
                header,
                "active L1 table",
                HeaderField.L1_OFFSET,
                header.l1Offset(),
                8L * header.l1Entries(),
                fileBytes);
        long needed = header.geometry().l1EntriesFor(size);
        if (header.l1Entries() < needed) {
            throw new CorruptImageException(
                    STRUCTURE,
                    HeaderField.L1_ENTRIES,
                    "active L1 table too small: " + header.l1Entries() + " entries, a disk of " + size + " bytes needs "
                            + needed);
        }
        if (header.dataFileRaw() && !header.hasExternalDataFile()) {
            throw new CorruptImageException(
                    STRUCTURE, HeaderField.AUTOCLEAR_FEATURES, "raw external data without an external data file");
        }
        requireExtensions(header, fileBytes);
    }

    private static void requireOrders(Header header) throws ImageFormatException {
        int order = header.refcountOrder();
        if (order < 0 || order > Limits.MAX_REFCOUNT_ORDER) {
            throw new CorruptImageException(
                    STRUCTURE,
                    HeaderField.REFCOUNT_ORDER,
                    "refcount order " + Integer.toUnsignedString(order) + ", at most " + Limits.MAX_REFCOUNT_ORDER);
        }
        if (header.hasExtendedL2() && header.clusterBits() < Limits.MIN_CLUSTER_BITS_EXTENDED_L2) {
            throw new UnsupportedImageException(
                    STRUCTURE,
                    HeaderField.CLUSTER_BITS,
                    "extended L2 entries with clusters of 2^" + header.clusterBits() + " bytes, at least 2^"
                            + Limits.MIN_CLUSTER_BITS_EXTENDED_L2);
        }
    }

    /** The refcount table and the snapshot table. */
    static void requireTables(Header header, long fileBytes) throws CorruptImageException {
        long clusters = Integer.toUnsignedLong(header.refcountTableClusters());
        if (clusters == 0 || clusters > Limits.MAX_REFCOUNT_TABLE_BYTES >> header.clusterBits()) {
            throw new CorruptImageException(
                    STRUCTURE,
                    HeaderField.REFCOUNT_TABLE_CLUSTERS,
                    clusters == 0 ? "no refcount table" : "refcount table too large: " + clusters + " clusters");
        }
        requireTable(
                header,
                "refcount table",
                HeaderField.REFCOUNT_TABLE_OFFSET,
                header.refcountTableOffset(),
                clusters << header.clusterBits(),
                fileBytes);
        long snapshots = Integer.toUnsignedLong(header.snapshotCount());
        if (snapshots > Limits.MAX_SNAPSHOTS) {
            throw new CorruptImageException(STRUCTURE, HeaderField.SNAPSHOT_COUNT, "too many snapshots: " + snapshots);
        }
        requireTable(
                header,
                "snapshot table",
                HeaderField.SNAPSHOTS_OFFSET,
                header.snapshotsOffset(),
                snapshots * Snapshot.FIXED_BYTES,
                fileBytes);
    }

    private static void requireTable(Header header, String table, int field, long offset, long bytes, long fileBytes)
            throws CorruptImageException {
        int clusterBytes = 1 << header.clusterBits();
        String fault = null;
        if (offset < 0 || (offset & (clusterBytes - 1)) != 0) {
            fault = "which is no cluster boundary";
        } else if (bytes > 0 && offset == 0) {
            fault = "where the header is";
        } else if (bytes > 0 && (offset > fileBytes || bytes > fileBytes - offset)) {
            fault = "beyond the end of the file at 0x" + Long.toHexString(fileBytes);
        }
        if (fault != null) {
            throw new CorruptImageException(
                    STRUCTURE,
                    field,
                    table + " of " + bytes + " bytes at 0x" + Long.toHexString(offset) + ", " + fault);
        }
    }

    private static void requireExtensions(Header header, long fileBytes) throws CorruptImageException {
        Bitmaps bitmaps = header.bitmapsExtension();
        if (bitmaps != null && header.bitmapsConsistent()) {
            BitmapRules.requireExtension(bitmaps, header.geometry(), fileBytes);
        }
        EncryptionHeader encryption = header.extension(EncryptionHeader.class);
        if (encryption == null) {
            return;
        }
        if (header.cryptMethod() != Header.CRYPT_LUKS) {
            throw new CorruptImageException("encryption header extension", -1, "the image is not encrypted with LUKS");
        }
        if (header.geometry().offsetInCluster(encryption.offset()) != 0) {
            throw new CorruptImageException(
                    "encryption header extension",
                    -1,
                    "offset 0x" + Long.toHexString(encryption.offset()) + " is no cluster boundary");
        }
    }
}
