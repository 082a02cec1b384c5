package dev.cowherd.storage.filter;

import dev.cowherd.storage.HostRange;
import dev.cowherd.storage.Storage;
import dev.cowherd.storage.fiber.FiberLoop;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/**
 * The frame of a filter: every operation is shown to the filter, passed on to the next storage, and its end shown again.
 *
 * <p>Thread-safe if the filter's two methods are. Close is passed on even where the filter fails it.
 */
public abstract class InterceptingStorage implements Storage {
    private final Storage next;

    /**
     * Stands in front of a storage, and closes it when closed.
     *
     * @param next where operations go
     */
    protected InterceptingStorage(Storage next) {
        this.next = next;
    }

    /**
     * Sees an operation before it is passed on.
     *
     * @param request what is asked
     * @throws IOException to fail it here
     */
    protected abstract void begin(Request request) throws IOException;

    /**
     * Sees that an operation which {@link #begin} let through has ended, well or not.
     *
     * @param request what was asked
     */
    protected void end(Request request) {}

    /**
     * Puts the same filter, with the same state, around a further handle.
     *
     * @param reopened the next storage's new handle
     * @return the filter around it
     */
    protected abstract InterceptingStorage around(Storage reopened);

    /**
     * Puts the same filter, with the same state, around a handle whose operations leave fibers.
     *
     * @param reopened the next storage's new handle
     * @param loop whose fibers use it
     * @return the filter around it
     */
    protected InterceptingStorage around(Storage reopened, FiberLoop loop) {
        return around(reopened);
    }

    /** An operation of the next storage that answers something. */
    @FunctionalInterface
    private interface Step<T> {
        T run() throws IOException;
    }

    private <T> T pass(Operation operation, long offset, long length, Step<T> step) throws IOException {
        Request request = new Request(operation, offset, length);
        begin(request);
        try {
            return step.run();
        } finally {
            end(request);
        }
    }

    @Override
    public final String name() {
        return next.name();
    }

    @Override
    public final long sizeBytes() throws IOException {
        return pass(Operation.SIZE, 0, 0, next::sizeBytes);
    }

    @Override
    public final long allocatedBytes() throws IOException {
        return pass(Operation.SIZE, 0, 0, next::allocatedBytes);
    }

    @Override
    public final long read(long offset, MemorySegment destination) throws IOException {
        return pass(Operation.READ, offset, destination.byteSize(), () -> next.read(offset, destination));
    }

    @Override
    public final long readv(long offset, MemorySegment[] destinations, int count) throws IOException {
        return pass(Operation.READ, offset, total(destinations, count), () -> next.readv(offset, destinations, count));
    }

    private static long total(MemorySegment[] segments, int count) {
        long length = 0;
        for (int i = 0; i < count; i++) {
            length += segments[i].byteSize();
        }
        return length;
    }

    @Override
    public final void write(long offset, MemorySegment source) throws IOException {
        pass(Operation.WRITE, offset, source.byteSize(), () -> {
            next.write(offset, source);
            return true;
        });
    }

    @Override
    public final void writev(long offset, MemorySegment[] sources, int count) throws IOException {
        pass(Operation.WRITE, offset, total(sources, count), () -> {
            next.writev(offset, sources, count);
            return true;
        });
    }

    @Override
    public final void zero(long offset, long length) throws IOException {
        pass(Operation.ZERO, offset, length, () -> {
            next.zero(offset, length);
            return true;
        });
    }

    @Override
    public final void allocate(long offset, long length) throws IOException {
        pass(Operation.ALLOCATE, offset, length, () -> {
            next.allocate(offset, length);
            return true;
        });
    }

    @Override
    public final void punchHole(long offset, long length) throws IOException {
        pass(Operation.PUNCH_HOLE, offset, length, () -> {
            next.punchHole(offset, length);
            return true;
        });
    }

    @Override
    public final void truncate(long sizeBytes) throws IOException {
        pass(Operation.TRUNCATE, sizeBytes, 0, () -> {
            next.truncate(sizeBytes);
            return true;
        });
    }

    @Override
    public final void sync() throws IOException {
        pass(Operation.SYNC, 0, 0, () -> {
            next.sync();
            return true;
        });
    }

    @Override
    public final void startWriteback(long offset, long length) throws IOException {
        pass(Operation.WRITEBACK, offset, length, () -> {
            next.startWriteback(offset, length);
            return true;
        });
    }

    @Override
    public final boolean reserve(long offset, long length) throws IOException {
        return pass(Operation.RESERVE, offset, length, () -> next.reserve(offset, length));
    }

    @Override
    public final void releaseReserve() throws IOException {
        pass(Operation.RELEASE, 0, 0, () -> {
            next.releaseReserve();
            return true;
        });
    }

    @Override
    public final HostRange rangeAt(long offset) throws IOException {
        return pass(Operation.RANGE, offset, 0, () -> next.rangeAt(offset));
    }

    @Override
    public final int preferredAlignment() {
        return next.preferredAlignment();
    }

    @Override
    public final Storage reopen() throws IOException {
        return around(pass(Operation.REOPEN, 0, 0, next::reopen));
    }

    @Override
    public final Storage reopenFor(FiberLoop loop) throws IOException {
        return around(pass(Operation.REOPEN, 0, 0, () -> next.reopenFor(loop)), loop);
    }

    @Override
    public final void close() throws IOException {
        try {
            begin(new Request(Operation.CLOSE, 0, 0));
        } catch (IOException refusal) {
            try {
                next.close();
            } catch (IOException second) {
                refusal.addSuppressed(second);
            }
            throw refusal;
        }
        try {
            next.close();
        } finally {
            end(new Request(Operation.CLOSE, 0, 0));
        }
    }

    @Override
    public final String toString() {
        return getClass().getSimpleName() + " in front of " + next;
    }
}
