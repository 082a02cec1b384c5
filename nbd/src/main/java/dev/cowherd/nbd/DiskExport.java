package dev.cowherd.nbd;

import dev.cowherd.image.BlockStatus;
import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskQueue;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/**
 * A disk as what is served.
 *
 * @param disk the disk, which its owner closes
 */
record DiskExport(Disk disk) implements Export {
    @Override
    public long sizeBytes() {
        return disk.sizeBytes();
    }

    /** A disk is opened for reading only, until the engine writes. */
    @Override
    public boolean isWritable() {
        return false;
    }

    @Override
    public Queue openQueue() throws IOException {
        return new DiskExportQueue(disk.openQueue());
    }

    private record DiskExportQueue(DiskQueue queue) implements Queue {
        @Override
        public void read(long offset, MemorySegment destination) throws IOException {
            queue.read(offset, destination);
        }

        /** A hole is what holds no data of its own, as QEMU's server says it. */
        @Override
        public Run runAt(long offset, long maxLength) throws IOException {
            BlockStatus status = queue.status(offset, maxLength);
            return new Run(status.length(), !status.data(), status.zero());
        }

        @Override
        public void write(long offset, MemorySegment source) throws IOException {
            throw readOnly();
        }

        @Override
        public void writeZeroes(long offset, long length, boolean mayUnmap) throws IOException {
            throw readOnly();
        }

        @Override
        public boolean zeroesAreFast(long offset, long length) {
            return false;
        }

        @Override
        public void trim(long offset, long length) throws IOException {
            throw readOnly();
        }

        @Override
        public void flush() {}

        private static IOException readOnly() {
            return new IOException("the disk is open for reading only");
        }

        @Override
        public void close() throws IOException {
            queue.close();
        }
    }
}
