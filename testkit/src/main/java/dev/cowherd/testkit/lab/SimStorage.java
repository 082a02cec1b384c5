package dev.cowherd.testkit.lab;

import dev.cowherd.storage.Errno;
import dev.cowherd.storage.HostRange;
import dev.cowherd.storage.Storage;
import dev.cowherd.storage.StorageException;
import dev.cowherd.storage.filter.Operation;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/**
 * A disk in memory that keeps a diary of every change and barrier, so that {@link CrashStates} can cut its power at any point of
 * the run afterwards. It also fails operations on demand.
 *
 * <p>All handles share one disk. Each operation happens at one instant: threads that are to meet inside need a {@link SteppedStorage}
 * or a filter in front. Thread-safe.
 */
public final class SimStorage implements Storage {
    private final Shared shared;
    private volatile boolean closed;

    /** What all handles of one disk share; its monitor is the power's, so that the diary is in the order of the changes. */
    private static final class Shared {
        final String name;
        final Power power;
        final Pages pages;
        final int disk;

        @Nullable
        SimFault fault;

        long counted;
        long hits;
        long reservedTo;

        Shared(String name, Power power, Pages pages) {
            this.name = name;
            this.power = power;
            this.pages = pages;
            this.disk = power.add(name, pages);
        }
    }

    /**
     * An empty disk on power of its own.
     *
     * @param name the name for messages
     */
    public SimStorage(String name) {
        this(name, new Power());
    }

    /**
     * An empty disk.
     *
     * @param name the name for messages
     * @param power shared with the disks that lose it at the same instant; its diary must not have begun
     */
    public SimStorage(String name, Power power) {
        this(name, power, new Pages());
    }

    SimStorage(String name, Power power, Pages contents) {
        this(new Shared(name, power, contents));
    }

    private SimStorage(Shared shared) {
        this.shared = shared;
    }

    /**
     * The same contents on a disk of its own, all of it durable, with an empty diary.
     *
     * @param power what the new disk hangs on
     * @return the new disk
     */
    public SimStorage copy(Power power) {
        synchronized (shared.power) {
            return new SimStorage(shared.name, power, shared.pages.copy());
        }
    }

    /**
     * The power this disk hangs on.
     *
     * @return the power, with the diary
     */
    public Power power() {
        return shared.power;
    }

    /**
     * Lets operations fail from now on, on every handle; counting begins now.
     *
     * @param fault which; null to be well again
     */
    public void fail(@Nullable SimFault fault) {
        synchronized (shared.power) {
            shared.fault = fault;
            shared.counted = 0;
            shared.hits = 0;
        }
    }

    /**
     * How many operations have failed by the fault that is set.
     *
     * @return a count
     */
    public long faultsHit() {
        synchronized (shared.power) {
            return shared.hits;
        }
    }

    @Override
    public String name() {
        return shared.name;
    }

    @Override
    public long sizeBytes() throws IOException {
        synchronized (shared.power) {
            begin(Operation.SIZE, 0);
            return shared.pages.sizeBytes();
        }
    }

    @Override
    public long allocatedBytes() throws IOException {
        synchronized (shared.power) {
            begin(Operation.SIZE, 0);
            return shared.pages.allocatedBytes();
        }
    }

    @Override
    public long read(long offset, MemorySegment destination) throws IOException {
        return readv(offset, new MemorySegment[] {destination}, 1);
    }

    @Override
    public long readv(long offset, MemorySegment[] destinations, int count) throws IOException {
        synchronized (shared.power) {
            begin(Operation.READ, offset);
            long at = offset;
            for (int i = 0; i < count; i++) {
                long length = Math.clamp(shared.pages.sizeBytes() - at, 0, destinations[i].byteSize());
                shared.pages.read(at, destinations[i], 0, length);
                at += length;
            }
            return at - offset;
        }
    }

    @Override
    public void write(long offset, MemorySegment source) throws IOException {
        writev(offset, new MemorySegment[] {source}, 1);
    }

    @Override
    public void writev(long offset, MemorySegment[] sources, int count) throws IOException {
        long length = 0;
        for (int i = 0; i < count; i++) {
            length = Math.addExact(length, sources[i].byteSize());
        }
        MemorySegment all = MemorySegment.ofArray(new byte[Math.toIntExact(length)]);
        long done = 0;
        for (int i = 0; i < count; i++) {
            MemorySegment.copy(sources[i], 0, all, done, sources[i].byteSize());
            done += sources[i].byteSize();
        }
        synchronized (shared.power) {
            requireUsable(Operation.WRITE, offset);
            StorageException fault = fault(Operation.WRITE, offset);
            if (fault != null) {
                long until = offset + new SplittableRandom(shared.counted).nextLong(length + 1);
                put(offset, all.asSlice(0, until == offset + length ? length : wholeSectors(offset, until)));
                throw fault;
            }
            put(offset, all);
        }
    }

    private static long wholeSectors(long from, long until) {
        return Math.max(0, (until & -Change.SECTOR) - from);
    }

    private void put(long offset, MemorySegment bytes) {
        if (bytes.byteSize() > 0) {
            shared.pages.write(offset, bytes);
            noteSectors(offset, bytes.byteSize());
        }
    }

    /** Notes what the sectors around a range hold now. */
    private void noteSectors(long offset, long length) {
        long from = offset & -Change.SECTOR;
        long to = Math.min(shared.pages.sizeBytes(), (offset + length + Change.SECTOR - 1) & -Change.SECTOR);
        shared.power.note(new Change.Write(shared.disk, from, to - from, shared.pages.pieces(from, to - from)));
    }

    @Override
    public void punchHole(long offset, long length) throws IOException {
        synchronized (shared.power) {
            begin(Operation.PUNCH_HOLE, Math.min(offset, length));
            long inside = Math.clamp(shared.pages.sizeBytes() - offset, 0, length);
            zeroNoted(offset, inside, false);
        }
    }

    @Override
    public void zero(long offset, long length) throws IOException {
        synchronized (shared.power) {
            begin(Operation.ZERO, Math.min(offset, length));
            shared.pages.grow(offset + length);
            zeroNoted(offset, length, true);
        }
    }

    private void zeroNoted(long offset, long length, boolean keep) {
        if (length == 0) {
            return;
        }
        shared.pages.zero(offset, length, keep);
        long end = offset + length;
        if ((offset | end) % Change.SECTOR == 0) {
            shared.power.note(new Change.Zero(shared.disk, offset, length, keep));
        } else {
            noteSectors(offset, length);
        }
    }

    @Override
    public void allocate(long offset, long length) throws IOException {
        synchronized (shared.power) {
            begin(Operation.ALLOCATE, Math.min(offset, length));
            if (offset + length > shared.pages.sizeBytes()) {
                resizeNoted(offset + length);
            }
        }
    }

    /** Sets aside whatever is asked; nothing of it is in the diary, because nothing of it can be seen. */
    @Override
    public boolean reserve(long offset, long length) throws IOException {
        synchronized (shared.power) {
            begin(Operation.RESERVE, Math.min(offset, length));
            shared.reservedTo = Math.max(shared.reservedTo, offset + length);
            return true;
        }
    }

    @Override
    public void releaseReserve() throws IOException {
        synchronized (shared.power) {
            begin(Operation.RELEASE, 0);
            shared.reservedTo = 0;
        }
    }

    /**
     * The space that is set aside past the end.
     *
     * @return bytes
     */
    public long reservedBytes() {
        synchronized (shared.power) {
            return Math.max(0, shared.reservedTo - shared.pages.sizeBytes());
        }
    }

    @Override
    public void truncate(long sizeBytes) throws IOException {
        synchronized (shared.power) {
            begin(Operation.TRUNCATE, sizeBytes);
            if (sizeBytes != shared.pages.sizeBytes()) {
                resizeNoted(sizeBytes);
            }
        }
    }

    private void resizeNoted(long sizeBytes) {
        shared.pages.resize(sizeBytes);
        shared.power.note(new Change.Resize(shared.disk, sizeBytes));
    }

    @Override
    public void sync() throws IOException {
        synchronized (shared.power) {
            requireUsable(Operation.SYNC, 0);
            StorageException fault = fault(Operation.SYNC, 0);
            if (fault != null) {
                shared.power.note(new Change.FailedBarrier(shared.disk));
                throw fault;
            }
            shared.power.note(new Change.Barrier(shared.disk));
        }
    }

    @Override
    public HostRange rangeAt(long offset) throws IOException {
        synchronized (shared.power) {
            begin(Operation.RANGE, 0);
            long size = shared.pages.sizeBytes();
            if (offset < 0 || offset >= size) {
                throw new IndexOutOfBoundsException(
                        name() + ": offset " + offset + " is outside the storage of " + size + " bytes");
            }
            boolean data = shared.pages.isData(offset);
            long end = offset;
            while (end < size && shared.pages.isData(end) == data) {
                end = (end / Pages.PAGE + 1) * Pages.PAGE;
            }
            return new HostRange(data, Math.min(end, size) - offset);
        }
    }

    @Override
    public int preferredAlignment() {
        return 1;
    }

    @Override
    public SimStorage reopen() throws IOException {
        synchronized (shared.power) {
            begin(Operation.REOPEN, 0);
            return new SimStorage(shared);
        }
    }

    @Override
    public void close() {
        closed = true;
    }

    /**
     * All bytes as of now.
     *
     * @return a copy
     */
    public byte[] bytes() {
        synchronized (shared.power) {
            byte[] all = new byte[Math.toIntExact(shared.pages.sizeBytes())];
            shared.pages.read(0, MemorySegment.ofArray(all), 0, all.length);
            return all;
        }
    }

    /**
     * A disk of given bytes, all of them durable, on power of its own.
     *
     * @param name the name for messages
     * @param bytes what it holds
     * @return the disk
     */
    public static SimStorage holding(String name, byte[] bytes) {
        return holding(name, MemorySegment.ofArray(bytes), new Power());
    }

    /**
     * A disk of given bytes, all of them durable.
     *
     * @param name the name for messages
     * @param bytes what it holds
     * @param power what it hangs on
     * @return the disk
     */
    public static SimStorage holding(String name, MemorySegment bytes, Power power) {
        Pages pages = new Pages();
        pages.grow(bytes.byteSize());
        for (long at = 0; at < bytes.byteSize(); at += Pages.PAGE) {
            MemorySegment page = bytes.asSlice(at, Math.min(Pages.PAGE, bytes.byteSize() - at));
            if (page.mismatch(MemorySegment.ofArray(new byte[(int) page.byteSize()])) >= 0) {
                pages.write(at, page);
            }
        }
        return new SimStorage(name, power, pages);
    }

    @Override
    public String toString() {
        return shared.name;
    }

    private void begin(Operation operation, long place) throws StorageException {
        requireUsable(operation, place);
        StorageException fault = fault(operation, place);
        if (fault != null) {
            throw fault;
        }
    }

    private void requireUsable(Operation operation, long place) throws StorageException {
        if (closed) {
            throw new StorageException("use", name(), -1, Errno.EBADF.number(), "the storage is closed");
        }
        if (place < 0) {
            throw StorageException.of(operation.toString(), name(), place, Errno.EINVAL.number());
        }
    }

    private @Nullable StorageException fault(Operation operation, long place) {
        SimFault fault = shared.fault;
        if (fault == null || !fault.operations().contains(operation)) {
            return null;
        }
        shared.counted++;
        if (!fault.hits(shared.counted)) {
            return null;
        }
        shared.hits++;
        return StorageException.of(
                "injected fault on " + operation, name(), place, fault.errno().number());
    }
}
