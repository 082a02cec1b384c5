package dev.cowherd.format;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The header of an image with its extensions and the backing file's name (specification: Header, Additional fields,
 * Header extensions): everything in the first cluster that has a meaning, so that it can be written back unharmed.
 *
 * <table>
 * <caption>On disk, big-endian; a version 2 header ends at byte 72</caption>
 * <tr><th>bytes</th><th>field</th><th>component here</th></tr>
 * <tr><td>0–3</td><td>magic, {@code QFI} and 0xfb</td><td></td></tr>
 * <tr><td>4–7</td><td>version, 2 or 3</td><td>{@code version}</td></tr>
 * <tr><td>8–15</td><td>where the backing file's name is, 0: none</td><td>{@code backingFileOffset}</td></tr>
 * <tr><td>16–19</td><td>its length, no NUL at its end</td><td>{@code backingFileBytes}</td></tr>
 * <tr><td>20–23</td><td>log2 of the cluster size</td><td>{@code clusterBits}</td></tr>
 * <tr><td>24–31</td><td>size of the disk in bytes</td><td>{@code sizeBytes}</td></tr>
 * <tr><td>32–35</td><td>encryption: 0 none, 1 AES, 2 LUKS</td><td>{@code cryptMethod}</td></tr>
 * <tr><td>36–39</td><td>entries of the active L1 table</td><td>{@code l1Entries}</td></tr>
 * <tr><td>40–47</td><td>its host offset</td><td>{@code l1Offset}</td></tr>
 * <tr><td>48–55</td><td>host offset of the refcount table</td><td>{@code refcountTableOffset}</td></tr>
 * <tr><td>56–59</td><td>its length in clusters</td><td>{@code refcountTableClusters}</td></tr>
 * <tr><td>60–63</td><td>number of internal snapshots</td><td>{@code snapshotCount}</td></tr>
 * <tr><td>64–71</td><td>host offset of the snapshot table</td><td>{@code snapshotsOffset}</td></tr>
 * <tr><td>72–79</td><td>incompatible features, see {@link Feature}</td><td>{@code incompatibleFeatures}</td></tr>
 * <tr><td>80–87</td><td>compatible features</td><td>{@code compatibleFeatures}</td></tr>
 * <tr><td>88–95</td><td>autoclear features</td><td>{@code autoclearFeatures}</td></tr>
 * <tr><td>96–99</td><td>log2 of the refcount width in bits</td><td>{@code refcountOrder}</td></tr>
 * <tr><td>100–103</td><td>length of the header in bytes</td><td>{@code headerLength}</td></tr>
 * <tr><td>104</td><td>compression type, if the header is that long</td><td>{@code compressionType}</td></tr>
 * <tr><td>105 to the header's end</td><td>padding, later fields</td><td>{@code unknownFields}</td></tr>
 * </table>
 *
 * <p>All tables start at a cluster boundary. {@link HeaderExtension}s follow the header; then, up to the end of the
 * first cluster, the backing file's name. A version 2 header reads as version 3 without features, with 16-bit
 * refcounts and a length of 72.
 *
 * <p>A header that {@link #decode} returned is within {@link Limits} and its tables lie within the file.
 *
 * @param version 2 or 3
 * @param backingFileOffset host offset of the backing file's name in bytes, 0 if there is none
 * @param backingFileBytes length of that name in bytes; without a name of no meaning and kept
 * @param clusterBits log2 of the cluster size, 9 to 21
 * @param sizeBytes size of the disk in bytes as stored; see {@link #guestBytes()}
 * @param cryptMethod 0 none, 1 AES, 2 LUKS
 * @param l1Entries entries of the active L1 table, enough for the disk
 * @param l1Offset host offset of the active L1 table in bytes
 * @param refcountTableOffset host offset of the refcount table in bytes
 * @param refcountTableClusters length of the refcount table in clusters
 * @param snapshotCount number of internal snapshots; unsigned and unchecked after {@link #decodeForCheck}
 * @param snapshotsOffset host offset of the snapshot table in bytes; unchecked after {@link #decodeForCheck}
 * @param incompatibleFeatures bits without which the image cannot be understood, all of them known
 * @param compatibleFeatures bits that can be ignored
 * @param autoclearFeatures bits that a writer clears if it does not know them
 * @param refcountOrder log2 of the refcount width in bits, 0 to 6
 * @param headerLength length of the header without extensions in bytes, 72 or a multiple of 8 from 104 on
 * @param compressionType how compressed clusters are coded
 * @param unknownFields the bytes from 105 to the end of the header, kept as they are
 * @param extensions the header extensions in the image's order
 * @param backingFile the backing file's name as stored, or null if there is none
 */
public record Header(
        int version,
        long backingFileOffset,
        int backingFileBytes,
        int clusterBits,
        long sizeBytes,
        int cryptMethod,
        int l1Entries,
        long l1Offset,
        long refcountTableOffset,
        int refcountTableClusters,
        int snapshotCount,
        long snapshotsOffset,
        long incompatibleFeatures,
        long compatibleFeatures,
        long autoclearFeatures,
        int refcountOrder,
        int headerLength,
        CompressionType compressionType,
        Bytes unknownFields,
        List<HeaderExtension> extensions,
        @Nullable String backingFile) {
    /** The first four bytes of every image: {@code QFI} and 0xfb. */
    public static final int MAGIC = 0x5146_49fb;

    /** {@link #cryptMethod()} of an image without encryption. */
    public static final int CRYPT_NONE = 0;

    /** {@link #cryptMethod()} of an image with QEMU's old AES encryption. */
    public static final int CRYPT_AES = 1;

    /** {@link #cryptMethod()} of an image with LUKS encryption. */
    public static final int CRYPT_LUKS = 2;

    /** As many bytes as {@link #bytesNeeded} needs to see, unless the file is shorter. */
    public static final int PREFIX_BYTES = HeaderField.V3_MIN_LENGTH;

    /** Keeps the extensions from changing. */
    public Header {
        extensions = List.copyOf(extensions);
    }

    /**
     * Whether a file starts like a QCOW2 image.
     *
     * @param prefix the first bytes of the file; its position does not move
     * @return whether there are four bytes and they are the magic
     */
    public static boolean hasMagic(ByteBuffer prefix) {
        return HeaderReader.hasMagic(HeaderReader.view(prefix));
    }

    /**
     * How many bytes from the start of the file {@link #decode} needs. Read a few KiB, ask, and read again if that was
     * not enough; the second answer is then the final one.
     *
     * @param prefix the first bytes of the file, {@link #PREFIX_BYTES} or more unless the file is shorter; its position
     *     does not move
     * @param fileBytes length of the file in bytes
     * @return bytes, at most a cluster and at most the file
     * @throws ImageFormatException if what is there already shows that this cannot be opened
     */
    public static int bytesNeeded(ByteBuffer prefix, long fileBytes) throws ImageFormatException {
        return HeaderReader.bytesNeeded(HeaderReader.view(prefix), fileBytes);
    }

    /**
     * Decodes and judges a header: what QEMU refuses to open, this refuses too, and also tables that do not lie within
     * the file. Encryption and the corrupt and dirty bits are left to {@link #requireSupported()} and to the caller.
     *
     * @param firstBytes the first bytes of the file, as many as {@link #bytesNeeded} said or more; its position does
     *     not move
     * @param fileBytes length of the file in bytes
     * @return the header
     * @throws CorruptImageException if a field breaks the format's rules
     * @throws UnsupportedImageException if the image needs a feature that this engine does not know
     */
    public static Header decode(ByteBuffer firstBytes, long fileBytes) throws ImageFormatException {
        Header header = decodeForCheck(firstBytes, fileBytes);
        HeaderRules.requireTables(header, fileBytes);
        return header;
    }

    /**
     * Like {@link #decode}, but says nothing about the refcount table and the snapshot table, which a check reports
     * and a repair replaces: they may be missing, misplaced or too large.
     *
     * @param firstBytes as for {@link #decode}
     * @param fileBytes length of the file in bytes
     * @return the header
     * @throws CorruptImageException if a field breaks the format's rules
     * @throws UnsupportedImageException if the image needs a feature that this engine does not know
     */
    public static Header decodeForCheck(ByteBuffer firstBytes, long fileBytes) throws ImageFormatException {
        Header header = HeaderReader.read(HeaderReader.view(firstBytes), fileBytes);
        HeaderRules.require(header, fileBytes);
        return header;
    }

    /**
     * The header of a new image: no disk, no tables, no extensions yet; the features that the shape and the compression
     * type need are set.
     *
     * @param version 2 or 3
     * @param geometry the image's shape; of version 2 without extended L2 entries and with 16-bit refcounts
     * @param compressionType how compressed clusters will be coded; of version 2 {@link CompressionType#ZLIB}
     * @return the header, 112 bytes long as QEMU writes it, or 72 of version 2
     */
    public static Header fresh(int version, Geometry geometry, CompressionType compressionType) {
        return HeaderDraft.fresh(version, geometry, compressionType);
    }

    /**
     * The same header for a disk of another size.
     *
     * @param bytes size of the disk in bytes, as stored
     * @return a copy
     */
    public Header withSize(long bytes) {
        HeaderDraft draft = new HeaderDraft(this);
        draft.sizeBytes = bytes;
        return draft.header();
    }

    /**
     * The same header with another active L1 table.
     *
     * @param entries its entries
     * @param offset its host offset in bytes
     * @return a copy
     */
    public Header withL1(int entries, long offset) {
        HeaderDraft draft = new HeaderDraft(this);
        draft.l1Entries = entries;
        draft.l1Offset = offset;
        return draft.header();
    }

    /**
     * The same header with another refcount table.
     *
     * @param offset its host offset in bytes
     * @param clusters its length in clusters
     * @return a copy
     */
    public Header withRefcountTable(long offset, int clusters) {
        HeaderDraft draft = new HeaderDraft(this);
        draft.refcountTableOffset = offset;
        draft.refcountTableClusters = clusters;
        return draft.header();
    }

    /**
     * The same header with another snapshot table.
     *
     * @param count number of internal snapshots
     * @param offset host offset of their table in bytes
     * @return a copy
     */
    public Header withSnapshots(int count, long offset) {
        HeaderDraft draft = new HeaderDraft(this);
        draft.snapshotCount = count;
        draft.snapshotsOffset = offset;
        return draft.header();
    }

    /**
     * The same header with other feature words.
     *
     * @param incompatible the bits without which the image cannot be understood
     * @param compatible the bits that can be ignored
     * @param autoclear the bits that a writer clears if it does not know them
     * @return a copy
     */
    public Header withFeatures(long incompatible, long compatible, long autoclear) {
        HeaderDraft draft = new HeaderDraft(this);
        draft.incompatibleFeatures = incompatible;
        draft.compatibleFeatures = compatible;
        draft.autoclearFeatures = autoclear;
        return draft.header();
    }

    /**
     * The same header with one feature bit set or cleared.
     *
     * @param feature the bit
     * @param on whether it is to be set
     * @return a copy
     */
    public Header withFeature(Feature feature, boolean on) {
        return withFeatures(
                changed(incompatibleFeatures, feature, Feature.Kind.INCOMPATIBLE, on),
                changed(compatibleFeatures, feature, Feature.Kind.COMPATIBLE, on),
                changed(autoclearFeatures, feature, Feature.Kind.AUTOCLEAR, on));
    }

    private static long changed(long word, Feature feature, Feature.Kind kind, boolean on) {
        if (feature.kind() != kind) {
            return word;
        }
        return on ? word | feature.mask() : word & ~feature.mask();
    }

    /**
     * The same header with other extensions. The backing file's name moves right behind them; {@link #fits()} says
     * whether there is room for it.
     *
     * @param changed all extensions, in the order in which they are to be written
     * @return a copy
     */
    public Header withExtensions(List<HeaderExtension> changed) {
        HeaderDraft draft = new HeaderDraft(this);
        draft.extensions = changed;
        draft.placeBackingFile();
        return draft.header();
    }

    /**
     * The same header with the bitmap directory at another place. Nothing else moves: on disk eight bytes differ that lie within one
     * sector, if the directory is as long as before.
     *
     * @param offset host offset of the directory in bytes
     * @param bytes length of the directory in bytes
     * @return a copy
     */
    public Header withBitmapDirectory(long offset, long bytes) {
        HeaderDraft draft = new HeaderDraft(this);
        draft.extensions = extensions.stream()
                .map(extension -> extension instanceof HeaderExtension.Bitmaps bitmaps
                        ? new HeaderExtension.Bitmaps(bitmaps.count(), bitmaps.reserved(), bytes, offset)
                        : extension)
                .toList();
        return draft.header();
    }

    /**
     * The same header with another backing file; its format is an extension. {@link #fits()} says whether there is room.
     *
     * @param name the name to store, or null for none
     * @return a copy
     */
    public Header withBackingFile(@Nullable String name) {
        HeaderDraft draft = new HeaderDraft(this);
        draft.backingFile = name;
        draft.placeBackingFile();
        return draft.header();
    }

    /**
     * Whether header, extensions with their end mark and the backing file's name have room in the first cluster.
     *
     * @return whether {@link #encode()} can work and {@link #decode} reads all of it back
     */
    public boolean fits() {
        long end = headerLength + ExtensionArea.bytes(extensions);
        return Math.max(end, backingFileOffset + (backingFile == null ? 0 : backingFileBytes)) <= 1L << clusterBits;
    }

    /**
     * Encodes everything from byte 0 to the end of the extensions and the backing file's name. What {@link #decode}
     * read comes out unchanged; only bytes without meaning (padding of extensions, a gap before the name) become zero.
     *
     * @return a new big-endian buffer, at most a cluster long
     * @throws IllegalStateException if the parts do not fit together, such as a name over an extension
     */
    public ByteBuffer encode() {
        return HeaderWriter.write(this);
    }

    /**
     * Refuses what can be decoded but not read as a disk: encrypted images.
     *
     * @throws UnsupportedImageException if the guest's data is encrypted
     */
    public void requireSupported() throws UnsupportedImageException {
        if (cryptMethod != CRYPT_NONE) {
            throw new UnsupportedImageException(
                    "header",
                    HeaderField.CRYPT_METHOD,
                    (cryptMethod == CRYPT_LUKS ? "LUKS" : "AES") + " encryption is not supported");
        }
    }

    /**
     * The sizes and counts that follow from the header.
     *
     * @return the geometry
     */
    public Geometry geometry() {
        return new Geometry(clusterBits, hasExtendedL2(), refcountOrder);
    }

    /**
     * The size of the disk as QEMU shows it to a guest: whole 512-byte sectors.
     *
     * @return {@link #sizeBytes()}, rounded down to a multiple of 512
     */
    public long guestBytes() {
        return sizeBytes & ~511L;
    }

    /**
     * Whether a feature bit is set.
     *
     * @param feature the feature
     * @return whether its bit is set
     */
    public boolean has(Feature feature) {
        long word = switch (feature.kind()) {
            case INCOMPATIBLE -> incompatibleFeatures;
            case COMPATIBLE -> compatibleFeatures;
            case AUTOCLEAR -> autoclearFeatures;
        };
        return (word & feature.mask()) != 0;
    }

    /**
     * Whether refcounts may be out of date.
     *
     * @return {@link Feature#DIRTY}
     */
    public boolean isDirty() {
        return has(Feature.DIRTY);
    }

    /**
     * Whether the image is marked as broken and must not be written.
     *
     * @return {@link Feature#CORRUPT}
     */
    public boolean isCorrupt() {
        return has(Feature.CORRUPT);
    }

    /**
     * Whether guest clusters live in another file.
     *
     * @return {@link Feature#EXTERNAL_DATA_FILE}
     */
    public boolean hasExternalDataFile() {
        return has(Feature.EXTERNAL_DATA_FILE);
    }

    /**
     * Whether clusters have subclusters.
     *
     * @return {@link Feature#EXTENDED_L2}
     */
    public boolean hasExtendedL2() {
        return has(Feature.EXTENDED_L2);
    }

    /**
     * Whether refcount updates may be postponed.
     *
     * @return {@link Feature#LAZY_REFCOUNTS}
     */
    public boolean lazyRefcounts() {
        return has(Feature.LAZY_REFCOUNTS);
    }

    /**
     * Whether the external data file alone is a valid raw image.
     *
     * @return {@link Feature#RAW_EXTERNAL_DATA}
     */
    public boolean dataFileRaw() {
        return has(Feature.RAW_EXTERNAL_DATA);
    }

    /**
     * Whether the bitmaps agree with the image.
     *
     * @return {@link Feature#BITMAPS}
     */
    public boolean bitmapsConsistent() {
        return has(Feature.BITMAPS);
    }

    /**
     * The stored format of the backing file.
     *
     * @return a name such as {@code qcow2}, or null if the image does not say
     */
    public @Nullable String backingFormat() {
        HeaderExtension.BackingFormat found = extension(HeaderExtension.BackingFormat.class);
        return found == null ? null : found.format();
    }

    /**
     * The stored name of the external data file.
     *
     * @return its name, or null if the image does not say
     */
    public @Nullable String dataFile() {
        HeaderExtension.ExternalDataFile found = extension(HeaderExtension.ExternalDataFile.class);
        return found == null ? null : found.name();
    }

    /**
     * Where the bitmaps are; only to be trusted while {@link #bitmapsConsistent()}.
     *
     * @return the bitmaps extension, or null if there is none
     */
    public HeaderExtension.@Nullable Bitmaps bitmapsExtension() {
        return extension(HeaderExtension.Bitmaps.class);
    }

    /**
     * The extension of one kind.
     *
     * @param kind the class of the extension
     * @param <T> the kind
     * @return the first one, or null if there is none
     */
    public <T extends HeaderExtension> @Nullable T extension(Class<T> kind) {
        Objects.requireNonNull(kind);
        for (HeaderExtension extension : extensions) {
            if (kind.isInstance(extension)) {
                return kind.cast(extension);
            }
        }
        return null;
    }
}
