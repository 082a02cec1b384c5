package dev.cowherd.format;

import java.nio.ByteBuffer;
import java.util.Objects;

/** Puts the bytes of a header together. */
final class HeaderWriter {
    private HeaderWriter() {}

    static ByteBuffer write(Header header) {
        int clusterBytes = 1 << header.clusterBits();
        int nameAt = (int) header.backingFileOffset();
        long most = header.headerLength() + ExtensionArea.bytes(header.extensions());
        if (nameAt != 0) {
            most = Math.max(most, (long) nameAt + header.backingFileBytes());
        }
        ByteBuffer image = ByteBuffer.allocate((int) Math.min(most, clusterBytes));
        fields(header, image);
        ExtensionArea.write(image, header.extensions(), nameAt == 0 ? clusterBytes : nameAt);
        int end = image.position();
        byte[] name = Text.encode(Objects.requireNonNullElse(header.backingFile(), ""));
        if (nameAt != 0) {
            if (name.length != header.backingFileBytes() || name.length > clusterBytes - nameAt) {
                throw new IllegalStateException("backing file name of " + name.length + " bytes at " + nameAt);
            }
            // Straight into place: the name may start in the padding of the last extension.
            image.put(nameAt, name);
            end = Math.max(end, nameAt + name.length);
        }
        return image.position(0).limit(end).slice();
    }

    private static void fields(Header header, ByteBuffer image) {
        image.putInt(Header.MAGIC)
                .putInt(header.version())
                .putLong(header.backingFileOffset())
                .putInt(header.backingFileBytes())
                .putInt(header.clusterBits())
                .putLong(header.sizeBytes())
                .putInt(header.cryptMethod())
                .putInt(header.l1Entries())
                .putLong(header.l1Offset())
                .putLong(header.refcountTableOffset())
                .putInt(header.refcountTableClusters())
                .putInt(header.snapshotCount())
                .putLong(header.snapshotsOffset());
        if (header.version() < 3) {
            return;
        }
        image.putLong(header.incompatibleFeatures())
                .putLong(header.compatibleFeatures())
                .putLong(header.autoclearFeatures())
                .putInt(header.refcountOrder())
                .putInt(header.headerLength());
        if (header.headerLength() > HeaderField.COMPRESSION_TYPE) {
            image.put((byte) header.compressionType().code())
                    .put(header.unknownFields().buffer());
        }
        if (image.position() != header.headerLength()) {
            throw new IllegalStateException(
                    "header of " + image.position() + " bytes, its length says " + header.headerLength());
        }
    }
}
