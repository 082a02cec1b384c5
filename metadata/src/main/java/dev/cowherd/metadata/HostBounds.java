package dev.cowherd.metadata;

import dev.cowherd.format.Header;
import dev.cowherd.storage.Storage;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Where on the host guest data may lie: within the file that holds it and on none of the structures that never move while the image
 * is open. Thread-safe; a good offset costs two comparisons.
 */
final class HostBounds {
    /** A structure of the image, from its first byte to the one past its last. */
    record Structure(String name, long start, long end) {}

    private final List<Structure> structures;
    /** Beyond this offset is no structure. */
    private final long structuresEnd;
    /** The file's size when last asked. A writer elsewhere may have made it longer since, so a miss asks again. */
    private volatile long fileBytes;

    HostBounds(List<Structure> structures, long fileBytes) {
        this.structures = List.copyOf(structures);
        this.structuresEnd = structures.stream().mapToLong(Structure::end).max().orElse(0);
        this.fileBytes = fileBytes;
    }

    /** The bounds of an image file that holds its guest data itself. */
    static HostBounds ofImage(Header header, long l1Offset, int l1Entries, long fileBytes) {
        List<Structure> structures = new ArrayList<>();
        long clusterBytes = header.geometry().clusterBytes();
        structures.add(new Structure("the header", 0, clusterBytes));
        structures.add(new Structure("the L1 table", l1Offset, l1Offset + 8L * l1Entries));
        if (l1Offset != header.l1Offset()) {
            structures.add(
                    new Structure("the L1 table", header.l1Offset(), header.l1Offset() + 8L * header.l1Entries()));
        }
        structures.add(new Structure(
                "the refcount table",
                header.refcountTableOffset(),
                header.refcountTableOffset() + clusterBytes * header.refcountTableClusters()));
        if (header.snapshotCount() > 0) {
            structures.add(new Structure(
                    "the snapshot table", header.snapshotsOffset(), header.snapshotsOffset() + clusterBytes));
        }
        return new HostBounds(structures, fileBytes);
    }

    /** The bounds of an external data file: it holds guest data and nothing else. */
    static HostBounds ofDataFile(long fileBytes) {
        return new HostBounds(List.of(), fileBytes);
    }

    /**
     * Judges a run of host bytes that an entry names.
     *
     * @param offset host offset in bytes, less than 2^62
     * @param mustFit how many of the bytes must lie within the file: the last cluster of a file need not be whole
     * @return what is wrong, or null
     */
    @Nullable
    String complaint(Storage file, long offset, long length, long mustFit) throws IOException {
        if (offset + mustFit > fileBytes) {
            fileBytes = file.sizeBytes();
            if (offset + mustFit > fileBytes) {
                return "host offset 0x" + Long.toHexString(offset) + " lies past the file's end at " + fileBytes;
            }
        }
        if (offset < structuresEnd) {
            for (Structure structure : structures) {
                if (offset < structure.end && structure.start < offset + length) {
                    return "host offset 0x" + Long.toHexString(offset) + " lies on " + structure.name;
                }
            }
        }
        return null;
    }
}
