package dev.cowherd.nbd;

import dev.cowherd.image.BlockStatus;
import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskQueue;
import dev.cowherd.image.Engine;
import dev.cowherd.image.Request;
import dev.cowherd.image.RequestQueue;
import dev.cowherd.image.ZeroMode;
import dev.cowherd.storage.fiber.FiberLoop;
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

    @Override
    public boolean isWritable() {
        return disk.isWritable();
    }

    @Override
    public Engine engine() {
        return disk.options().engine();
    }

    /**
     * The ring for many requests past the page cache. Through the page cache the kernel may hand each write of a ring to a thread of its
     * own, one after the other for a file, and the server wrote faster by system calls whatever a client had under way
     * (docs/performance.md). Other queues gain by the ring there too, where clusters are compressed, flushes come in between or the host
     * takes its time; so this stands here and not with {@link Engine#AUTO}.
     */
    @Override
    public Engine suitedEngine(int maxInflight) {
        return disk.options().cacheMode().direct() && maxInflight > 1 ? Engine.RING : Engine.SYNC;
    }

    @Override
    public Queue openQueue() throws IOException {
        return new DiskExportQueue(disk.openQueue());
    }

    @Override
    public Pipeline openPipeline(FiberLoop loop, int depth) throws IOException {
        return new DiskPipeline(disk.openRequestQueue(depth, loop));
    }

    private record DiskPipeline(RequestQueue queue) implements Pipeline {
        @Override
        public void read(long token, long offset, MemorySegment destination) {
            queue.submit(new Request.Read(token, offset, destination));
        }

        @Override
        public void write(long token, long offset, MemorySegment source) {
            queue.submit(new Request.Write(token, offset, source));
        }

        @Override
        public void flush(long token) {
            queue.submit(new Request.Flush(token));
        }

        @Override
        public void perform(long token, Task task) {
            queue.submit(new Request.Work(token, lane -> task.run(new DiskExportQueue(lane))));
        }

        @Override
        public void take(RequestQueue.Handler handler) {
            queue.take(handler);
        }

        @Override
        public void close() throws IOException {
            queue.close();
        }
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
            queue.write(offset, source);
        }

        @Override
        public void writeZeroes(long offset, long length, boolean mayUnmap) throws IOException {
            queue.writeZeroes(offset, length, mayUnmap ? ZeroMode.MAY_UNMAP : ZeroMode.KEEP_ALLOCATED);
        }

        @Override
        public boolean zeroesAreFast(long offset, long length) throws IOException {
            return queue.zeroesAreFast(offset, length);
        }

        @Override
        public void trim(long offset, long length) throws IOException {
            queue.discard(offset, length);
        }

        @Override
        public void flush() throws IOException {
            queue.flush();
        }

        @Override
        public void close() throws IOException {
            queue.close();
        }
    }
}
