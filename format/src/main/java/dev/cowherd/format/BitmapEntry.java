package dev.cowherd.format;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * One entry of the bitmap directory (specification: Bitmap directory): a named bitmap that marks which parts of the
 * disk were written since some point in time.
 *
 * <table>
 * <caption>On disk, big-endian; every entry is padded to a multiple of 8</caption>
 * <tr><th>bytes</th><th>field</th></tr>
 * <tr><td>0–7</td><td>host offset of the bitmap table, cluster-aligned</td></tr>
 * <tr><td>8–11</td><td>its entries, see {@link BitmapTableEntry}</td></tr>
 * <tr><td>12–15</td><td>flags: bit 0 in use (so not up to date), bit 1 auto, bit 2 extra data can be ignored</td></tr>
 * <tr><td>16</td><td>type, 1: dirty tracking</td></tr>
 * <tr><td>17</td><td>log2 of the guest bytes that one bit stands for</td></tr>
 * <tr><td>18–19</td><td>n, the length of the name in bytes</td></tr>
 * <tr><td>20–23</td><td>e, the length of the extra data in bytes</td></tr>
 * <tr><td>then e bytes</td><td>extra data, depends on the type</td></tr>
 * <tr><td>then n bytes</td><td>the name, unique, no NUL at its end</td></tr>
 * </table>
 *
 * <p>Bytes of a name that are not UTF-8 are kept, as lone surrogates U+DC80 to U+DCFF.
 *
 * @param name the name
 * @param tableOffset host offset of the bitmap table in bytes
 * @param tableEntries entries of the bitmap table, an unsigned 32-bit number
 * @param flags the flags, see {@link #inUse()} and {@link #auto()}
 * @param type the type, 1: dirty tracking
 * @param granularityBits log2 of the guest bytes that one bit stands for
 * @param extraData the extra data
 */
public record BitmapEntry(
        String name, long tableOffset, long tableEntries, int flags, int type, int granularityBits, Bytes extraData) {
    /** Type of a bitmap that tracks writes. */
    public static final int DIRTY_TRACKING = 1;

    /** Flag: a writer has not saved the bitmap since it changed the disk. */
    public static final int IN_USE = 1;

    /** Flag: a writer should track with this bitmap from the start. */
    public static final int AUTO = 2;

    /** Flag: who does not know the extra data may use the bitmap all the same, and leaves the extra data as it is. */
    public static final int EXTRA_DATA_COMPATIBLE = 4;

    private static final int FIXED_BYTES = 24;

    /**
     * Decodes the bitmap directory; each entry is whole, but not yet judged: see {@link #require}.
     *
     * @param directory the {@link HeaderExtension.Bitmaps#directoryBytes()} bytes of the directory; its position does
     *     not move
     * @param extension the bitmaps extension, of a header that {@link Header#bitmapsConsistent()}
     * @return the bitmaps in the image's order
     * @throws CorruptImageException if an entry is not whole, or the directory has not as many as the extension says
     */
    public static List<BitmapEntry> decodeDirectory(ByteBuffer directory, HeaderExtension.Bitmaps extension)
            throws CorruptImageException {
        ByteBuffer bytes = HeaderReader.view(directory);
        List<BitmapEntry> entries = new ArrayList<>();
        while (bytes.hasRemaining()) {
            int at = bytes.position();
            long length = FIXED_BYTES;
            if (bytes.remaining() >= FIXED_BYTES) {
                length += Integer.toUnsignedLong(bytes.getInt(at + 20)) + (bytes.getShort(at + 18) & 0xffff);
            }
            if (padded(length) > bytes.remaining()) {
                throw new CorruptImageException(
                        "bitmap directory", extension.directoryOffset() + at, "ends within an entry");
            }
            entries.add(entry(bytes));
            bytes.position(at + (int) padded(length));
        }
        if (entries.size() != Integer.toUnsignedLong(extension.count())) {
            throw new CorruptImageException(
                    "bitmap directory",
                    extension.directoryOffset(),
                    entries.size() + " entries, the header says " + Integer.toUnsignedString(extension.count()));
        }
        return List.copyOf(entries);
    }

    private static BitmapEntry entry(ByteBuffer bytes) {
        long tableOffset = bytes.getLong();
        long tableEntries = Integer.toUnsignedLong(bytes.getInt());
        int flags = bytes.getInt();
        int type = bytes.get() & 0xff;
        int granularityBits = bytes.get() & 0xff;
        int nameBytes = bytes.getShort() & 0xffff;
        Bytes extra = Bytes.take(bytes, bytes.getInt());
        String name = Text.label(bytes.slice(bytes.position(), nameBytes));
        return new BitmapEntry(name, tableOffset, tableEntries, flags, type, granularityBits, extra);
    }

    /**
     * Encodes a bitmap directory.
     *
     * @param entries the bitmaps
     * @return a new big-endian buffer; what {@link #decodeDirectory} read comes out unchanged but for padding, which is
     *     zero
     */
    public static ByteBuffer encodeDirectory(List<BitmapEntry> entries) {
        long bytes = 0;
        for (BitmapEntry entry : entries) {
            bytes += padded(FIXED_BYTES + entry.extraData().length() + Text.encode(entry.name()).length);
        }
        if (bytes > Limits.MAX_BITMAP_DIRECTORY_BYTES) {
            throw new IllegalArgumentException("bitmap directory of " + bytes + " bytes");
        }
        ByteBuffer directory = ByteBuffer.allocate((int) bytes);
        for (BitmapEntry entry : entries) {
            byte[] name = Text.encode(entry.name());
            if (name.length > 0xffff) {
                throw new IllegalArgumentException("bitmap name of " + name.length + " bytes");
            }
            directory
                    .putLong(entry.tableOffset())
                    .putInt((int) entry.tableEntries())
                    .putInt(entry.flags())
                    .put((byte) entry.type())
                    .put((byte) entry.granularityBits())
                    .putShort((short) name.length)
                    .putInt(entry.extraData().length())
                    .put(entry.extraData().buffer())
                    .put(name);
            directory.position((int) padded(directory.position()));
        }
        return directory.flip();
    }

    /**
     * Whether the bitmap was not saved after the disk changed, so that it must not be relied on.
     *
     * @return the flag
     */
    public boolean inUse() {
        return (flags & IN_USE) != 0;
    }

    /**
     * Whether a writer should track with this bitmap from the start.
     *
     * @return the flag
     */
    public boolean auto() {
        return (flags & AUTO) != 0;
    }

    /**
     * Judges the entry as QEMU does; to be called before its table is read.
     *
     * @param header the image's header
     * @param fileBytes length of the file in bytes
     * @throws CorruptImageException if a value is out of its range or the table is not within the file
     * @throws UnsupportedImageException if the type, a flag or extra data is unknown
     */
    public void require(Header header, long fileBytes) throws ImageFormatException {
        BitmapRules.require(this, header, fileBytes);
    }

    /**
     * Judges whether a writer can keep the bitmap right: as {@link #require}, but extra data of which the flags say that it may be
     * ignored is ignored.
     *
     * @param header the image's header
     * @param fileBytes length of the file in bytes
     * @throws CorruptImageException if a value is out of its range or the table is not within the file
     * @throws UnsupportedImageException if the type, a flag or extra data is unknown
     */
    public void requireUsable(Header header, long fileBytes) throws ImageFormatException {
        boolean ignorable = (flags & EXTRA_DATA_COMPATIBLE) != 0;
        BitmapEntry judged = ignorable
                ? new BitmapEntry(
                        name,
                        tableOffset,
                        tableEntries,
                        flags & ~EXTRA_DATA_COMPATIBLE,
                        type,
                        granularityBits,
                        Bytes.EMPTY)
                : this;
        BitmapRules.require(judged, header, fileBytes);
    }

    /**
     * The same bitmap with other flags.
     *
     * @param changed all flags
     * @return a copy
     */
    public BitmapEntry withFlags(int changed) {
        return new BitmapEntry(name, tableOffset, tableEntries, changed, type, granularityBits, extraData);
    }

    /**
     * The same bitmap with its bits elsewhere.
     *
     * @param offset host offset of the bitmap table in bytes
     * @param entries entries of the bitmap table
     * @return a copy
     */
    public BitmapEntry withTable(long offset, long entries) {
        return new BitmapEntry(name, offset, entries, flags, type, granularityBits, extraData);
    }

    /**
     * How many entries the table of a bitmap has.
     *
     * @param diskBytes guest bytes that the bitmap stands for
     * @param granularityBits log2 of the guest bytes that one bit stands for
     * @param clusterBits log2 of the cluster size in bytes
     * @return clusters that hold a bit for each started granule
     */
    public static long tableEntriesFor(long diskBytes, int granularityBits, int clusterBits) {
        return startedUnits(startedUnits(diskBytes, granularityBits), clusterBits + 3);
    }

    private static long startedUnits(long size, int unitBits) {
        return (size >>> unitBits) + ((size & ((1L << unitBits) - 1)) == 0 ? 0 : 1);
    }

    private static long padded(long length) {
        return (length + 7) & ~7L;
    }
}
