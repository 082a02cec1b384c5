package dev.cowherd.cli.disk;

import dev.cowherd.image.BlockStatus;
import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskQueue;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** Reads a {@link SectorDisk} on one thread: a queue on each of its parts. */
public final class SectorReader implements AutoCloseable {
    private final SectorDisk disk;
    private final List<DiskQueue> queues = new ArrayList<>();

    SectorReader(SectorDisk disk) throws IOException {
        this.disk = disk;
        try {
            for (Disk part : disk.parts()) {
                queues.add(part.openQueue());
            }
        } catch (IOException | RuntimeException e) {
            close();
            throw e;
        }
    }

    /**
     * Fills a segment.
     *
     * @param offset where to start, in bytes
     * @param destination a native segment that ends within the disk
     * @throws IOException if the image or the host fails
     */
    public void read(long offset, MemorySegment destination) throws IOException {
        long done = 0;
        while (done < destination.byteSize()) {
            int part = disk.partAt(offset + done);
            long within = offset + done - disk.startOf(part);
            long wanted = Math.min(destination.byteSize() - done, disk.endOf(part) - offset - done);
            long stored = Math.clamp(disk.parts().get(part).sizeBytes() - within, 0, wanted);
            if (stored > 0) {
                queues.get(part).read(within, destination.asSlice(done, stored));
            }
            destination.asSlice(done + stored, wanted - stored).fill((byte) 0);
            done += wanted;
        }
    }

    /**
     * What the disk holds from an offset on.
     *
     * @param offset where to start, in bytes
     * @param maxLength how far to look, more than zero
     * @return the extent that starts there, with offsets of this disk; at most {@code maxLength} long
     * @throws IOException if the image or the host fails
     */
    public BlockStatus status(long offset, long maxLength) throws IOException {
        int part = disk.partAt(offset);
        long start = disk.startOf(part);
        long within = offset - start;
        long size = disk.parts().get(part).sizeBytes();
        long wanted = Math.min(maxLength, disk.endOf(part) - offset);
        if (within >= size) {
            return new BlockStatus(offset, wanted, 0, true, true, false, false, -1, null);
        }
        BlockStatus status = queues.get(part).status(within, Math.min(wanted, size - within));
        boolean last = within + status.length() == size;
        return new BlockStatus(
                offset,
                last ? wanted : status.length(),
                status.depth(),
                status.present(),
                status.zero(),
                status.data(),
                status.compressed(),
                status.hostOffset(),
                status.fileName());
    }

    /** Closes the queues. */
    @Override
    public void close() throws IOException {
        IOException failure = null;
        for (DiskQueue queue : queues) {
            try {
                queue.close();
            } catch (IOException e) {
                failure = e;
            }
        }
        if (failure != null) {
            throw failure;
        }
    }
}
