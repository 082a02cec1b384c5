package dev.cowherd.testkit;

import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.DiskQueue;
import dev.cowherd.image.Engine;
import dev.cowherd.image.ImageFormat;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Random;

/** Reads all of an image that may be hostile: whole where it is small, in samples where it claims to be huge. */
final class HostileReads {
    private static final long WHOLE = 16L << 20;

    private HostileReads() {}

    /**
     * Opens and reads.
     *
     * @param engine by which
     * @param snapshot the snapshot to read, or nothing for the current state
     * @return what opening or reading ended with, or nothing if all was read
     */
    static Optional<IOException> readAll(Engine engine, Path file, String snapshot) {
        DiskOptions options =
                DiskOptions.defaults().withFormat(ImageFormat.QCOW2).withSnapshot(snapshot.isEmpty() ? null : snapshot);
        try (Disk disk = Disk.open(file, options);
                DiskQueue asked = disk.openQueue();
                Reads queue = Reads.of(engine, disk);
                Arena arena = Arena.ofConfined()) {
            MemorySegment buffer = arena.allocate(1 << 20);
            long size = disk.sizeBytes();
            for (long offset = 0; offset < Math.min(size, WHOLE); offset += buffer.byteSize()) {
                queue.read(offset, buffer.asSlice(0, Math.min(buffer.byteSize(), size - offset)));
            }
            Random random = new Random(1);
            for (int i = 0; i < 100 && size > 0; i++) {
                long offset = i == 0 ? size - 1 : random.nextLong(size);
                queue.read(offset, buffer.asSlice(0, Math.min(4096, size - offset)));
                asked.status(offset, Math.min(size - offset, 1L << 40));
            }
            if (size > 0) {
                asked.status(0, size);
            }
            return Optional.empty();
        } catch (IOException e) {
            return Optional.of(e);
        }
    }
}
