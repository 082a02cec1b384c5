package dev.cowherd.bench;

import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskQueue;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/**
 * Requests on a queue of a disk.
 *
 * @param queue the queue, closed with the worker
 * @param kind what each request does
 */
record QueueWorker(DiskQueue queue, Kind kind) implements RequestLoop.Worker {
    /** What a request does with its buffer. */
    interface Kind {
        void perform(DiskQueue queue, long offset, MemorySegment buffer) throws IOException;
    }

    static QueueWorker reading(Disk disk) throws IOException {
        return new QueueWorker(disk.openQueue(), DiskQueue::read);
    }

    static QueueWorker writing(Disk disk) throws IOException {
        return new QueueWorker(disk.openQueue(), DiskQueue::write);
    }

    @Override
    public void perform(long offset, MemorySegment buffer) throws IOException {
        kind.perform(queue, offset, buffer);
    }

    @Override
    public void close() throws IOException {
        queue.close();
    }
}
