package dev.cowherd.cli;

import dev.cowherd.format.BitmapEntry;
import dev.cowherd.format.CorruptImageException;
import dev.cowherd.format.Header;
import dev.cowherd.format.HeaderExtension;
import dev.cowherd.format.LuksHeader;
import dev.cowherd.format.Snapshot;
import dev.cowherd.storage.FileOptions;
import dev.cowherd.storage.FileStorage;
import dev.cowherd.storage.LockMode;
import dev.cowherd.storage.Storage;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Reads what {@code info} tells of a file, and nothing else of it: no tables of the disk, no backing or data file. */
final class ImageInspector {
    private static final int FIRST_BYTES = 4096;
    private static final long SECTOR_BYTES = 512;

    private final Storage file;
    private final String name;

    private ImageInspector(Storage file, String name) {
        this.file = file;
        this.name = name;
    }

    /**
     * Looks at one image.
     *
     * @param path where it is
     * @param name its name for people
     * @param format {@code qcow2} or {@code raw}, null to look for the magic
     * @param forceShare whether to ignore image locks
     * @throws CommandException if it cannot be opened or is not of the format
     */
    static ImageFacts inspect(Path path, String name, @Nullable String format, boolean forceShare)
            throws CommandException {
        if (format != null && !format.equals("qcow2") && !format.equals("raw")) {
            throw new CommandException("Could not open '" + name + "': Unknown driver '" + format + "'");
        }
        FileOptions options = FileOptions.reading();
        try (Storage file = FileStorage.open(path, forceShare ? options.withLock(LockMode.NONE) : options)) {
            return new ImageInspector(file, name).inspect(format);
        } catch (IOException e) {
            throw Failures.couldNotOpen(name, e);
        }
    }

    private ImageFacts inspect(@Nullable String format) throws IOException, CommandException {
        long fileBytes = file.sizeBytes();
        ByteBuffer first =
                "raw".equals(format) ? ByteBuffer.allocate(0) : read(file, 0, Math.min(FIRST_BYTES, fileBytes));
        if (!Header.hasMagic(first)) {
            if ("qcow2".equals(format)) {
                throw new CommandException("Could not open '" + name + "': Image is not in qcow2 format");
            }
            return facts("raw", null, fileBytes, wholeSectors(fileBytes), List.of(), List.of());
        }
        Header header = header(first, fileBytes);
        return facts(
                "qcow2", header, fileBytes, header.guestBytes(), snapshots(header, fileBytes), bitmaps(file, header));
    }

    private ImageFacts facts(
            String format,
            @Nullable Header header,
            long fileBytes,
            long virtualBytes,
            List<Snapshot> snapshots,
            List<BitmapEntry> bitmaps)
            throws IOException {
        return new ImageFacts(
                name,
                format,
                "file",
                virtualBytes,
                wholeSectors(fileBytes),
                file.allocatedBytes(),
                header,
                snapshots,
                bitmaps,
                header == null ? null : luks(header));
    }

    private Header header(ByteBuffer first, long fileBytes) throws IOException {
        ByteBuffer bytes = first;
        int needed = Header.bytesNeeded(bytes, fileBytes);
        while (needed > bytes.limit()) {
            bytes = read(file, 0, needed);
            needed = Header.bytesNeeded(bytes, fileBytes);
        }
        return Header.decode(bytes, fileBytes);
    }

    private List<Snapshot> snapshots(Header header, long fileBytes) throws IOException {
        if (header.snapshotCount() == 0) {
            return List.of();
        }
        ByteBuffer bytes = ByteBuffer.allocate(0);
        int needed = Snapshot.bytesNeeded(bytes, header, fileBytes);
        while (needed > bytes.limit()) {
            bytes = read(file, header.snapshotsOffset(), needed);
            needed = Snapshot.bytesNeeded(bytes, header, fileBytes);
        }
        return Snapshot.decodeTable(bytes, header);
    }

    /** The persistent bitmaps of an open image, none while the image says that they may be out of date. */
    static List<BitmapEntry> bitmaps(Storage file, Header header) throws IOException {
        HeaderExtension.Bitmaps extension = header.bitmapsExtension();
        if (extension == null || !header.bitmapsConsistent()) {
            return List.of();
        }
        ByteBuffer directory = read(file, extension.directoryOffset(), extension.directoryBytes());
        List<BitmapEntry> entries = BitmapEntry.decodeDirectory(directory, extension);
        for (int i = 0; i < entries.size(); i++) {
            entries.get(i).require(header, file.sizeBytes());
        }
        return entries;
    }

    private @Nullable LuksHeader luks(Header header) throws IOException {
        if (header.cryptMethod() != Header.CRYPT_LUKS) {
            return null;
        }
        HeaderExtension.EncryptionHeader where = header.extension(HeaderExtension.EncryptionHeader.class);
        if (where == null) {
            throw new CorruptImageException(
                    "encryption header extension", -1, "it is missing, and the image is encrypted with LUKS");
        }
        return LuksHeader.decode(read(file, where.offset(), LuksHeader.BYTES), where.offset());
    }

    /** Exactly these bytes of the file; the caller has judged their number against the file's length before. */
    private static ByteBuffer read(Storage file, long offset, long length) throws IOException {
        MemorySegment bytes = Arena.ofAuto().allocate(length);
        return bytes.asByteBuffer().limit((int) file.read(offset, bytes));
    }

    private static long wholeSectors(long bytes) {
        return (bytes + SECTOR_BYTES - 1) / SECTOR_BYTES * SECTOR_BYTES;
    }
}
