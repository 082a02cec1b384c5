package dev.cowherd.bench.scaling;

import dev.cowherd.storage.Errno;
import dev.cowherd.storage.HostRange;
import dev.cowherd.storage.Storage;
import dev.cowherd.storage.StorageException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A host that costs as good as nothing: sparse memory of a fixed capacity, without a lock and without a system call. What is left of
 * a request in front of it is the engine's. Handles share the bytes; the first one owns the memory.
 */
final class MappedStorage implements Storage {
    private static final int PAGE = 4096;

    private final Arena arena;
    private final MemorySegment bytes;
    private final AtomicLong size;
    private final boolean owner;

    private MappedStorage(Arena arena, MemorySegment bytes, AtomicLong size, boolean owner) {
        this.arena = arena;
        this.bytes = bytes;
        this.size = size;
        this.owner = owner;
    }

    /** Empty, in memory that is taken page by page as it is written. */
    static MappedStorage create(long capacityBytes) throws IOException {
        Path memory = Path.of("/dev/shm");
        Path file = Files.isDirectory(memory)
                ? Files.createTempFile(memory, "cowherd-bench", ".host")
                : Files.createTempFile("cowherd-bench", ".host");
        Arena arena = Arena.ofShared();
        try (FileChannel channel =
                FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE, StandardOpenOption.SPARSE)) {
            MemorySegment bytes = channel.map(MapMode.READ_WRITE, 0, capacityBytes, arena);
            return new MappedStorage(arena, bytes, new AtomicLong(), true);
        } finally {
            Files.delete(file);
        }
    }

    /** Takes all pages up to the size now: else each one's first use is a page fault, which costs more than a request does. */
    void takePages() {
        for (long at = 0; at < size.get(); at += PAGE) {
            bytes.set(ValueLayout.JAVA_BYTE, at, bytes.get(ValueLayout.JAVA_BYTE, at));
        }
    }

    @Override
    public String name() {
        return "memory";
    }

    @Override
    public long sizeBytes() {
        return size.get();
    }

    @Override
    public long read(long offset, MemorySegment destination) {
        long length = Math.clamp(size.get() - offset, 0, destination.byteSize());
        MemorySegment.copy(bytes, offset, destination, 0, length);
        return length;
    }

    @Override
    public long readv(long offset, MemorySegment[] destinations, int count) {
        long done = 0;
        for (int i = 0; i < count; i++) {
            done += read(offset + done, destinations[i]);
        }
        return done;
    }

    @Override
    public void write(long offset, MemorySegment source) throws IOException {
        long length = source.byteSize();
        requireRoom("write", offset, length);
        MemorySegment.copy(source, 0, bytes, offset, length);
        grow(offset + length);
    }

    @Override
    public void writev(long offset, MemorySegment[] sources, int count) throws IOException {
        long done = 0;
        for (int i = 0; i < count; i++) {
            write(offset + done, sources[i]);
            done += sources[i].byteSize();
        }
    }

    @Override
    public void zero(long offset, long length) throws IOException {
        allocate(offset, length);
        bytes.asSlice(offset, length).fill((byte) 0);
    }

    @Override
    public void allocate(long offset, long length) throws IOException {
        requireRoom("allocate", offset, length);
        grow(offset + length);
    }

    @Override
    public void punchHole(long offset, long length) {
        bytes.asSlice(offset, Math.clamp(size.get() - offset, 0, length)).fill((byte) 0);
    }

    @Override
    public void truncate(long sizeBytes) throws IOException {
        requireRoom("truncate", sizeBytes, 0);
        size.set(sizeBytes);
    }

    @Override
    public void sync() {}

    @Override
    public HostRange rangeAt(long offset) {
        return new HostRange(true, size.get() - offset);
    }

    @Override
    public int preferredAlignment() {
        return PAGE;
    }

    @Override
    public Storage reopen() {
        return new MappedStorage(arena, bytes, size, false);
    }

    @Override
    public void close() {
        if (owner) {
            arena.close();
        }
    }

    @Override
    public String toString() {
        return name();
    }

    private void grow(long end) {
        if (size.get() < end) {
            size.accumulateAndGet(end, Math::max);
        }
    }

    private void requireRoom(String operation, long offset, long length) throws StorageException {
        if (length > bytes.byteSize() - offset) {
            throw StorageException.of(operation, name(), offset, Errno.ENOSPC.number());
        }
    }
}
