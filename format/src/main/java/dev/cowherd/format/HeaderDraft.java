package dev.cowherd.format;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** The fields of a header while a changed copy is made of it: whatever a change does not name stays as it was. */
final class HeaderDraft {
    final int version;
    final int clusterBits;
    final int cryptMethod;
    final int refcountOrder;
    final int headerLength;
    final CompressionType compressionType;
    final Bytes unknownFields;
    long backingFileOffset;
    int backingFileBytes;
    long sizeBytes;
    int l1Entries;
    long l1Offset;
    long refcountTableOffset;
    int refcountTableClusters;
    int snapshotCount;
    long snapshotsOffset;
    long incompatibleFeatures;
    long compatibleFeatures;
    long autoclearFeatures;
    List<HeaderExtension> extensions;

    @Nullable
    String backingFile;

    HeaderDraft(Header header) {
        version = header.version();
        clusterBits = header.clusterBits();
        cryptMethod = header.cryptMethod();
        refcountOrder = header.refcountOrder();
        headerLength = header.headerLength();
        compressionType = header.compressionType();
        unknownFields = header.unknownFields();
        backingFileOffset = header.backingFileOffset();
        backingFileBytes = header.backingFileBytes();
        sizeBytes = header.sizeBytes();
        l1Entries = header.l1Entries();
        l1Offset = header.l1Offset();
        refcountTableOffset = header.refcountTableOffset();
        refcountTableClusters = header.refcountTableClusters();
        snapshotCount = header.snapshotCount();
        snapshotsOffset = header.snapshotsOffset();
        incompatibleFeatures = header.incompatibleFeatures();
        compatibleFeatures = header.compatibleFeatures();
        autoclearFeatures = header.autoclearFeatures();
        extensions = header.extensions();
        backingFile = header.backingFile();
    }

    /** A header that names nothing but the shape of the image. */
    static Header fresh(int version, Geometry geometry, CompressionType compressionType) {
        boolean v3 = version == 3;
        if (!v3 && (version != 2 || geometry.refcountOrder() != 4)) {
            throw new IllegalArgumentException("version " + version + " with " + geometry);
        }
        long features = (geometry.extendedL2() ? Feature.EXTENDED_L2.mask() : 0)
                | (compressionType == CompressionType.ZLIB ? 0 : Feature.COMPRESSION_TYPE.mask());
        if (!v3 && features != 0) {
            throw new IllegalArgumentException("version 2 with features");
        }
        return new Header(
                version,
                0,
                0,
                geometry.clusterBits(),
                0,
                Header.CRYPT_NONE,
                0,
                0,
                0,
                0,
                0,
                0,
                features,
                0,
                0,
                geometry.refcountOrder(),
                v3 ? HeaderField.V3_LENGTH : HeaderField.V2_LENGTH,
                compressionType,
                v3 ? Bytes.of(new byte[HeaderField.V3_LENGTH - HeaderField.COMPRESSION_TYPE - 1]) : Bytes.EMPTY,
                List.of(),
                null);
    }

    /** Puts the backing file's name right behind the end mark of the extensions, or takes its place out of the header. */
    void placeBackingFile() {
        if (backingFile == null) {
            backingFileOffset = 0;
            backingFileBytes = 0;
        } else {
            backingFileOffset = headerLength + ExtensionArea.bytes(extensions);
            backingFileBytes = Text.encode(backingFile).length;
        }
    }

    Header header() {
        return new Header(
                version,
                backingFileOffset,
                backingFileBytes,
                clusterBits,
                sizeBytes,
                cryptMethod,
                l1Entries,
                l1Offset,
                refcountTableOffset,
                refcountTableClusters,
                snapshotCount,
                snapshotsOffset,
                incompatibleFeatures,
                compatibleFeatures,
                autoclearFeatures,
                refcountOrder,
                headerLength,
                compressionType,
                unknownFields,
                extensions,
                backingFile);
    }
}
