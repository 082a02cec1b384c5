package dev.cowherd.storage.queue;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.cowherd.storage.HostRange;
import dev.cowherd.storage.Storage;
import dev.cowherd.storage.ring.Ring;
import dev.cowherd.storage.ring.RingOptions;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/** A storage whose bytes move over a ring, one ring an operation: for tests that know blocking storages only. */
public final class QueuedStorage implements Storage {
    private final Storage storage;

    public QueuedStorage(Storage storage) {
        assumeTrue(Ring.probe().isEmpty());
        this.storage = storage;
    }

    private interface Submission {
        void submit(HostFile file) throws IOException;
    }

    private long over(Submission submission) throws IOException {
        Outcomes outcomes = new Outcomes();
        try (Ring ring = Ring.open(RingOptions.ofEntries(4));
                HostQueue queue = HostQueue.over(ring)) {
            HostFile file = queue.attach(storage);
            submission.submit(file);
            queue.poll(1, outcomes);
            file.detach();
        }
        return outcomes.of(1);
    }

    @Override
    public String name() {
        return storage.name();
    }

    @Override
    public long sizeBytes() throws IOException {
        return storage.sizeBytes();
    }

    @Override
    public long read(long offset, MemorySegment destination) throws IOException {
        return over(file -> file.read(offset, destination, 1));
    }

    @Override
    public long readv(long offset, MemorySegment[] destinations, int count) throws IOException {
        return over(file -> file.readv(offset, destinations, count, 1));
    }

    @Override
    public void write(long offset, MemorySegment source) throws IOException {
        over(file -> file.write(offset, source, 1));
    }

    @Override
    public void writev(long offset, MemorySegment[] sources, int count) throws IOException {
        over(file -> file.writev(offset, sources, count, 1));
    }

    @Override
    public void punchHole(long offset, long length) throws IOException {
        over(file -> file.punchHole(offset, length, 1));
    }

    @Override
    public void zero(long offset, long length) throws IOException {
        over(file -> file.zero(offset, length, 1));
    }

    @Override
    public void allocate(long offset, long length) throws IOException {
        over(file -> file.allocate(offset, length, 1));
    }

    @Override
    public void truncate(long sizeBytes) throws IOException {
        storage.truncate(sizeBytes);
    }

    @Override
    public void sync() throws IOException {
        over(file -> file.sync(1));
    }

    @Override
    public HostRange rangeAt(long offset) throws IOException {
        return storage.rangeAt(offset);
    }

    @Override
    public int preferredAlignment() {
        return storage.preferredAlignment();
    }

    @Override
    public Storage reopen() throws IOException {
        return new QueuedStorage(storage.reopen());
    }

    @Override
    public void close() throws IOException {
        storage.close();
    }
}
