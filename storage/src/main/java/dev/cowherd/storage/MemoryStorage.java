package dev.cowherd.storage;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/** Bytes in off-heap memory with the face of a file: for tests, and for images small enough to be built in memory. */
public final class MemoryStorage implements Storage {
    private static final long SMALLEST_ROOM = 4096;

    private final String name;
    private final Contents contents;
    private volatile boolean closed;

    /**
     * Creates an empty storage.
     *
     * @param name the name for messages
     */
    public MemoryStorage(String name) {
        this(name, new Contents());
    }

    private MemoryStorage(String name, Contents contents) {
        this.name = name;
        this.contents = contents;
    }

    /** The bytes that all handles share. The lock keeps a copy in or out apart from the move to a larger room. */
    private static final class Contents {
        private final ReadWriteLock lock = new ReentrantReadWriteLock();
        private MemorySegment room = MemorySegment.NULL;
        private long sizeBytes;

        void read(long offset, MemorySegment destination, long length) {
            MemorySegment.copy(room, offset, destination, 0, length);
        }

        void resize(long newSize) {
            if (newSize > room.byteSize()) {
                long capacity = Math.max(SMALLEST_ROOM, Math.max(newSize, 2 * room.byteSize()));
                MemorySegment larger = Arena.ofAuto().allocate(capacity, SMALLEST_ROOM);
                larger.copyFrom(room.asSlice(0, sizeBytes));
                room = larger;
            } else if (newSize < sizeBytes) {
                room.asSlice(newSize, sizeBytes - newSize).fill((byte) 0);
            }
            sizeBytes = newSize;
        }
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public long sizeBytes() throws IOException {
        requireOpen();
        contents.lock.readLock().lock();
        try {
            return contents.sizeBytes;
        } finally {
            contents.lock.readLock().unlock();
        }
    }

    @Override
    public long read(long offset, MemorySegment destination) throws IOException {
        return readv(offset, new MemorySegment[] {destination}, 1);
    }

    @Override
    public long readv(long offset, MemorySegment[] destinations, int count) throws IOException {
        requireOpen();
        requirePlace("read", offset);
        contents.lock.readLock().lock();
        try {
            long at = offset;
            for (MemorySegment destination : Arrays.asList(destinations).subList(0, count)) {
                long length = Math.min(destination.byteSize(), Math.max(0, contents.sizeBytes - at));
                contents.read(Math.min(at, contents.sizeBytes), destination, length);
                at += length;
            }
            return at - offset;
        } finally {
            contents.lock.readLock().unlock();
        }
    }

    @Override
    public void write(long offset, MemorySegment source) throws IOException {
        writev(offset, new MemorySegment[] {source}, 1);
    }

    @Override
    public void writev(long offset, MemorySegment[] sources, int count) throws IOException {
        requireOpen();
        requirePlace("write", offset);
        long length = 0;
        for (int i = 0; i < count; i++) {
            length = Math.addExact(length, sources[i].byteSize());
        }
        if (length == 0) {
            return;
        }
        contents.lock.writeLock().lock();
        try {
            contents.resize(Math.max(contents.sizeBytes, Math.addExact(offset, length)));
            long at = offset;
            for (MemorySegment source : Arrays.asList(sources).subList(0, count)) {
                MemorySegment.copy(source, 0, contents.room, at, source.byteSize());
                at += source.byteSize();
            }
        } finally {
            contents.lock.writeLock().unlock();
        }
    }

    @Override
    public void zero(long offset, long length) throws IOException {
        allocate(offset, length);
        punchHole(offset, length);
    }

    @Override
    public void allocate(long offset, long length) throws IOException {
        requireOpen();
        requirePlace("allocate", Math.min(offset, length));
        contents.lock.writeLock().lock();
        try {
            contents.resize(Math.max(contents.sizeBytes, Math.addExact(offset, length)));
        } finally {
            contents.lock.writeLock().unlock();
        }
    }

    @Override
    public void punchHole(long offset, long length) throws IOException {
        requireOpen();
        requirePlace("punch", offset);
        contents.lock.writeLock().lock();
        try {
            if (offset < contents.sizeBytes) {
                long inside = Math.min(length, contents.sizeBytes - offset);
                contents.room.asSlice(offset, inside).fill((byte) 0);
            }
        } finally {
            contents.lock.writeLock().unlock();
        }
    }

    @Override
    public void truncate(long sizeBytes) throws IOException {
        requireOpen();
        requirePlace("truncate", sizeBytes);
        contents.lock.writeLock().lock();
        try {
            contents.resize(sizeBytes);
        } finally {
            contents.lock.writeLock().unlock();
        }
    }

    @Override
    public void sync() throws IOException {
        requireOpen();
    }

    @Override
    public HostRange rangeAt(long offset) throws IOException {
        long size = sizeBytes();
        if (offset < 0 || offset >= size) {
            throw new IndexOutOfBoundsException(
                    name + ": offset " + offset + " is outside the storage of " + size + " bytes");
        }
        return new HostRange(true, size - offset);
    }

    @Override
    public int preferredAlignment() {
        return 1;
    }

    @Override
    public Storage reopen() throws IOException {
        requireOpen();
        return new MemoryStorage(name, contents);
    }

    @Override
    public void close() {
        closed = true;
    }

    @Override
    public String toString() {
        return name;
    }

    private void requireOpen() throws StorageException {
        if (closed) {
            throw new StorageException("use", name, -1, Errno.EBADF.number(), "the storage is closed");
        }
    }

    private void requirePlace(String operation, long offset) throws StorageException {
        if (offset < 0) {
            throw StorageException.of(operation, name, offset, Errno.EINVAL.number());
        }
    }
}
