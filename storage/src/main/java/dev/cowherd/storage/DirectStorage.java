package dev.cowherd.storage;

import dev.cowherd.storage.fiber.FiberLoop;
import dev.cowherd.storage.fiber.PlainTransfers;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/**
 * A file opened past the page cache, usable at any offset, length and address: what is aligned goes straight to the
 * device, the rest through bounce buffers.
 *
 * <p>An unaligned write reads the blocks at its ends, changes its bytes and writes the blocks back. Every change holds its blocks
 * in {@link RangeHolds} meanwhile, aligned ones too, so that no neighbour's write is undone by it; the holds are
 * shared by all handles that come from one open. A write whose last block lies over the file's end holds everything behind it as
 * well, because the end has to be set back to where the caller's bytes end.
 */
final class DirectStorage implements Storage {
    private final FileStorage file;
    private final int alignment;
    private final RangeHolds holds;
    private final BounceBuffers buffers;

    DirectStorage(FileStorage file, int alignment) {
        this(file, alignment, new RangeHolds(), new BounceBuffers(alignment));
    }

    private DirectStorage(FileStorage file, int alignment, RangeHolds holds, BounceBuffers buffers) {
        this.file = file;
        this.alignment = alignment;
        this.holds = holds;
        this.buffers = buffers;
    }

    @Override
    public long read(long offset, MemorySegment destination) throws IOException {
        if (isAligned(offset | destination.byteSize() | destination.address())) {
            return file.read(offset, destination);
        }
        long size = destination.byteSize();
        long head = up(offset) - offset;
        long middle = down(Math.max(0, size - head));
        if (middle == 0 || !isAligned(destination.address() + head)) {
            return bounceRead(offset, new MemorySegment[] {destination}, 1);
        }
        long done = bounceRead(offset, new MemorySegment[] {destination.asSlice(0, head)}, 1);
        if (done == head) {
            done += file.read(offset + head, destination.asSlice(head, middle));
        }
        if (done == head + middle) {
            done += bounceRead(offset + done, new MemorySegment[] {destination.asSlice(done)}, 1);
        }
        return done;
    }

    @Override
    public long readv(long offset, MemorySegment[] destinations, int count) throws IOException {
        if (count == 1) {
            return read(offset, destinations[0]);
        }
        return isAligned(offset | bits(destinations, count))
                ? file.readv(offset, destinations, count)
                : bounceRead(offset, destinations, count);
    }

    @Override
    public boolean beginRead(PlainTransfers by, long offset, MemorySegment destination, long token) throws IOException {
        return isAligned(offset | destination.byteSize() | destination.address())
                && file.beginRead(by, offset, destination, token);
    }

    /** Its blocks are held until {@link #endWrite}, like those of every other change. */
    @Override
    public boolean beginWrite(PlainTransfers by, long offset, MemorySegment source, long token) throws IOException {
        long size = source.byteSize();
        if (size == 0 || offset < 0 || !isAligned(offset | size | source.address())) {
            return false;
        }
        RangeHolds.Hold hold = holds.tryTake(offset, offset + size);
        if (hold == null) {
            return false;
        }
        boolean begun = false;
        try {
            begun = file.beginWrite(by, offset, source, token);
            return begun;
        } finally {
            if (!begun) {
                holds.give(hold);
            }
        }
    }

    @Override
    public void endWrite(long offset, long length) {
        holds.give(new RangeHolds.Hold(offset, offset + length));
    }

    private static long bits(MemorySegment[] segments, int count) {
        long bits = 0;
        for (int i = 0; i < count; i++) {
            bits |= segments[i].address() | segments[i].byteSize();
        }
        return bits;
    }

    private static long total(MemorySegment[] segments, int count) {
        long total = 0;
        for (int i = 0; i < count; i++) {
            total = Math.addExact(total, segments[i].byteSize());
        }
        return total;
    }

    private long bounceRead(long offset, MemorySegment[] destinations, int count) throws IOException {
        long total = total(destinations, count);
        requirePlace("pread", offset, total);
        MemorySegment buffer = buffers.take();
        try {
            long done = 0;
            Cursor cursor = new Cursor(destinations);
            while (done < total) {
                long at = offset + done;
                long skip = at - down(at);
                long wanted = Math.min(total - done, buffer.byteSize() - skip);
                long got = file.read(at - skip, buffer.asSlice(0, up(skip + wanted)));
                long usable = Math.clamp(got - skip, 0L, wanted);
                cursor.give(buffer.asSlice(skip, usable));
                done += usable;
                if (usable < wanted) {
                    break;
                }
            }
            return done;
        } finally {
            buffers.give(buffer);
        }
    }

    @Override
    public void write(long offset, MemorySegment source) throws IOException {
        long size = source.byteSize();
        requirePlace("pwrite", offset, size);
        writeHolding(offset, size, () -> writeHeld(offset, source));
    }

    @Override
    public void writev(long offset, MemorySegment[] sources, int count) throws IOException {
        long size = total(sources, count);
        requirePlace("pwritev", offset, size);
        boolean straight = isAligned(offset | bits(sources, count));
        writeHolding(offset, size, () -> {
            if (straight) {
                file.writev(offset, sources, count);
            } else {
                bounceWrite(offset, sources, count);
            }
        });
    }

    /** What moves the bytes while their blocks are held. */
    @FunctionalInterface
    private interface Move {
        void run() throws IOException;
    }

    private void writeHolding(long offset, long size, Move move) throws IOException {
        if (size == 0) {
            file.sizeBytes();
            return;
        }
        long end = offset + size;
        RangeHolds.Hold hold = holds.take(down(offset), up(end));
        try {
            if (isAligned(end) || up(end) <= file.sizeBytes()) {
                move.run();
                return;
            }
        } finally {
            holds.give(hold);
        }
        writeOverEnd(offset, end, move);
    }

    /** The last block lies over the file's end: write it whole, then set the end back, while nobody else changes anything there. */
    private void writeOverEnd(long offset, long end, Move move) throws IOException {
        RangeHolds.Hold hold = holds.take(down(offset), Long.MAX_VALUE);
        try {
            long sizeBefore = file.sizeBytes();
            move.run();
            if (sizeBefore < up(end)) {
                file.truncate(Math.max(sizeBefore, end));
            }
        } finally {
            holds.give(hold);
        }
    }

    private void writeHeld(long offset, MemorySegment source) throws IOException {
        long head = Math.min(up(offset) - offset, source.byteSize());
        long middle = down(source.byteSize() - head);
        if (middle == 0 || !isAligned(source.address() + head)) {
            bounceWrite(offset, new MemorySegment[] {source}, 1);
            return;
        }
        bounceWrite(offset, new MemorySegment[] {source.asSlice(0, head)}, 1);
        file.write(offset + head, source.asSlice(head, middle));
        bounceWrite(offset + head + middle, new MemorySegment[] {source.asSlice(head + middle)}, 1);
    }

    private void bounceWrite(long offset, MemorySegment[] sources, int count) throws IOException {
        MemorySegment buffer = buffers.take();
        try {
            Cursor cursor = new Cursor(sources);
            long total = total(sources, count);
            for (long done = 0; done < total; ) {
                long at = offset + done;
                long skip = at - down(at);
                long now = Math.min(total - done, buffer.byteSize() - skip);
                MemorySegment blocks = buffer.asSlice(0, up(skip + now));
                if (skip > 0) {
                    readBlock(at - skip, blocks, 0);
                }
                if (!isAligned(skip + now) && (skip == 0 || blocks.byteSize() > alignment)) {
                    readBlock(at - skip, blocks, blocks.byteSize() - alignment);
                }
                cursor.take(blocks.asSlice(skip, now));
                file.write(at - skip, blocks);
                done += now;
            }
        } finally {
            buffers.give(buffer);
        }
    }

    /** Reads the block that will lie at a place of the buffer, zeros where the file ends inside it. */
    private void readBlock(long offset, MemorySegment blocks, long place) throws IOException {
        MemorySegment block = blocks.asSlice(place, alignment);
        long got = file.read(offset + place, block);
        block.asSlice(got).fill((byte) 0);
    }

    @Override
    public void punchHole(long offset, long length) throws IOException {
        requirePlace("fallocate", offset, length);
        RangeHolds.Hold hold = holds.take(down(offset), up(offset + length));
        boolean punched;
        try {
            punched = file.tryPunch(offset, length);
        } finally {
            holds.give(hold);
        }
        if (!punched) {
            Holes.writeZerosInside(this, file, offset, length);
        }
    }

    @Override
    public void zero(long offset, long length) throws IOException {
        requirePlace("fallocate", offset, length);
        RangeHolds.Hold hold = holds.take(down(offset), reach(offset + length));
        boolean zeroed;
        try {
            zeroed = file.tryZero(offset, length);
        } finally {
            holds.give(hold);
        }
        if (!zeroed) {
            Holes.writeZeros(this, offset, offset + length);
        }
    }

    @Override
    public void allocate(long offset, long length) throws IOException {
        requirePlace("fallocate", offset, length);
        RangeHolds.Hold hold = holds.take(down(offset), reach(offset + length));
        boolean allocated;
        try {
            allocated = file.tryAllocate(offset, length);
        } finally {
            holds.give(hold);
        }
        if (!allocated) {
            Holes.writeZeros(this, Math.max(offset, sizeBytes()), offset + length);
        }
    }

    @Override
    public boolean reserve(long offset, long length) throws IOException {
        return file.reserve(offset, length);
    }

    @Override
    public void releaseReserve() throws IOException {
        RangeHolds.Hold hold = holds.take(down(file.sizeBytes()), Long.MAX_VALUE);
        try {
            file.releaseReserve();
        } finally {
            holds.give(hold);
        }
    }

    /** Where a change that may move the file's end has to hold everything up to. */
    private long reach(long end) throws IOException {
        return up(end) <= file.sizeBytes() ? up(end) : Long.MAX_VALUE;
    }

    @Override
    public void truncate(long sizeBytes) throws IOException {
        RangeHolds.Hold hold = holds.take(down(Math.max(0, sizeBytes)), Long.MAX_VALUE);
        try {
            file.truncate(sizeBytes);
        } finally {
            holds.give(hold);
        }
    }

    @Override
    public String name() {
        return file.name();
    }

    @Override
    public long sizeBytes() throws IOException {
        return file.sizeBytes();
    }

    @Override
    public long allocatedBytes() throws IOException {
        return file.allocatedBytes();
    }

    @Override
    public void sync() throws IOException {
        file.sync();
    }

    @Override
    public HostRange rangeAt(long offset) throws IOException {
        return file.rangeAt(offset);
    }

    @Override
    public int preferredAlignment() {
        return alignment;
    }

    @Override
    public Storage reopen() throws IOException {
        return new DirectStorage(file.reopen(), alignment, holds, buffers);
    }

    @Override
    public Storage reopenFor(FiberLoop loop) throws IOException {
        return new DirectStorage(file.reopenFor(loop), alignment, holds, buffers);
    }

    @Override
    public void close() throws IOException {
        file.close();
    }

    @Override
    public String toString() {
        return file.name();
    }

    private boolean isAligned(long bits) {
        return (bits & (alignment - 1)) == 0;
    }

    private long down(long place) {
        return place & -alignment;
    }

    private long up(long place) {
        return (place + alignment - 1) & -alignment;
    }

    private void requirePlace(String operation, long offset, long length) throws IOException {
        if (offset < 0 || length < 0 || length > Long.MAX_VALUE - alignment - offset) {
            throw StorageException.of(operation, name(), offset, Errno.EINVAL.number());
        }
    }
}
