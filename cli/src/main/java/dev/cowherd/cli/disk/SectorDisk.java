package dev.cowherd.cli.disk;

import dev.cowherd.image.Disk;
import java.io.IOException;
import java.util.List;

/**
 * One or more disks end to end, each padded with zeros to whole sectors of 512 bytes: a raw file of 1000 bytes is a disk of
 * 1024, as for QEMU.
 *
 * <p>Safe for any number of threads; each takes its own {@link SectorReader}.
 */
public final class SectorDisk {
    static final int SECTOR_BYTES = 512;

    private final List<Disk> parts;
    private final long[] starts;
    private final long sizeBytes;

    /**
     * Joins disks; the caller keeps and closes them.
     *
     * @param parts the disks, in order, at least one
     */
    public SectorDisk(List<Disk> parts) {
        this.parts = List.copyOf(parts);
        this.starts = new long[parts.size()];
        long end = 0;
        for (int i = 0; i < starts.length; i++) {
            starts[i] = end;
            end = Math.addExact(end, wholeSectors(parts.get(i).sizeBytes()));
        }
        this.sizeBytes = end;
    }

    /** The size in bytes, a multiple of 512. */
    public long sizeBytes() {
        return sizeBytes;
    }

    /**
     * A reader for the calling thread.
     *
     * @return the reader; the caller closes it
     * @throws IOException if a queue cannot be opened
     */
    public SectorReader openReader() throws IOException {
        return new SectorReader(this);
    }

    /**
     * Rounds a size up to whole sectors.
     *
     * @param bytes a size in bytes
     * @return the padded size in bytes
     */
    public static long wholeSectors(long bytes) {
        return Math.addExact(bytes, SECTOR_BYTES - 1) & -SECTOR_BYTES;
    }

    List<Disk> parts() {
        return parts;
    }

    int partAt(long offset) {
        int part = starts.length - 1;
        while (starts[part] > offset) {
            part--;
        }
        return part;
    }

    long startOf(int part) {
        return starts[part];
    }

    long endOf(int part) {
        return part + 1 < starts.length ? starts[part + 1] : sizeBytes;
    }
}
