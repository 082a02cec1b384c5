package dev.cowherd.format;

import dev.cowherd.format.HeaderExtension.Bitmaps;

/** Judges where bitmaps say they are. */
final class BitmapRules {
    private static final int KNOWN_FLAGS = BitmapEntry.IN_USE | BitmapEntry.AUTO;

    private BitmapRules() {}

    static void requireExtension(Bitmaps bitmaps, Geometry geometry, long fileBytes) throws CorruptImageException {
        String structure = "bitmaps extension";
        long count = Integer.toUnsignedLong(bitmaps.count());
        if (count == 0 || count > Limits.MAX_BITMAPS) {
            throw new CorruptImageException(structure, -1, count + " bitmaps, must be 1 to " + Limits.MAX_BITMAPS);
        }
        if (bitmaps.reserved() != 0) {
            throw new CorruptImageException(
                    structure, -1, "reserved field is 0x" + Integer.toHexString(bitmaps.reserved()));
        }
        long bytes = bitmaps.directoryBytes();
        if (bytes < 0 || bytes > Limits.MAX_BITMAP_DIRECTORY_BYTES) {
            throw new CorruptImageException(
                    structure, -1, "bitmap directory of " + Long.toUnsignedString(bytes) + " bytes is too large");
        }
        long offset = bitmaps.directoryOffset();
        if (geometry.offsetInCluster(offset) != 0 || !within(offset, bytes, fileBytes)) {
            throw new CorruptImageException(
                    structure,
                    -1,
                    "bitmap directory of " + bytes + " bytes misplaced at 0x" + Long.toHexString(offset));
        }
    }

    static void require(BitmapEntry entry, Header header, long fileBytes) throws ImageFormatException {
        String structure = "bitmap '" + entry.name() + "'";
        if ((entry.flags() & ~KNOWN_FLAGS) != 0) {
            throw new UnsupportedImageException(
                    structure, -1, "unknown flags 0x" + Integer.toHexString(entry.flags() & ~KNOWN_FLAGS));
        }
        if (entry.type() != BitmapEntry.DIRTY_TRACKING) {
            throw new UnsupportedImageException(structure, -1, "unknown type " + entry.type());
        }
        if (entry.extraData().length() != 0) {
            throw new UnsupportedImageException(
                    structure, -1, entry.extraData().length() + " bytes of unknown extra data");
        }
        requireRanges(entry, header, structure);
        requireTable(entry, header, structure, fileBytes);
    }

    private static void requireRanges(BitmapEntry entry, Header header, String structure) throws CorruptImageException {
        int nameBytes = Text.encode(entry.name()).length;
        if (nameBytes == 0 || nameBytes > Limits.MAX_BITMAP_NAME_BYTES) {
            throw new CorruptImageException(structure, -1, "name of " + nameBytes + " bytes");
        }
        int granularity = entry.granularityBits();
        if (granularity < Limits.MIN_BITMAP_GRANULARITY_BITS || granularity > Limits.MAX_BITMAP_GRANULARITY_BITS) {
            throw new CorruptImageException(structure, -1, "granularity of 2^" + granularity + " bytes");
        }
        long bytes = entry.tableEntries() << header.clusterBits();
        if (entry.tableEntries() == 0
                || entry.tableEntries() > Limits.MAX_BITMAP_TABLE_ENTRIES
                || bytes > Limits.MAX_BITMAP_BYTES) {
            throw new CorruptImageException(structure, -1, "bitmap table of " + entry.tableEntries() + " entries");
        }
        // At most 2^32 bits of at most 2^31 bytes each: this does not overflow.
        if (!entry.inUse() && header.guestBytes() > ((bytes << 3) << granularity)) {
            throw new CorruptImageException(structure, -1, bytes + " bytes of bits do not cover the disk");
        }
    }

    private static void requireTable(BitmapEntry entry, Header header, String structure, long fileBytes)
            throws CorruptImageException {
        long offset = entry.tableOffset();
        long bytes = entry.tableEntries() * BitmapTableEntry.BYTES;
        if (offset == 0 || header.geometry().offsetInCluster(offset) != 0 || !within(offset, bytes, fileBytes)) {
            throw new CorruptImageException(
                    structure, -1, "bitmap table of " + bytes + " bytes misplaced at 0x" + Long.toHexString(offset));
        }
    }

    private static boolean within(long offset, long bytes, long fileBytes) {
        return offset >= 0 && offset <= fileBytes && bytes <= fileBytes - offset;
    }
}
