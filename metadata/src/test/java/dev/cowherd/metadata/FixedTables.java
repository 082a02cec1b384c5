package dev.cowherd.metadata;

import dev.cowherd.storage.HostRange;
import dev.cowherd.storage.Storage;
import java.lang.foreign.MemorySegment;
import java.util.function.LongConsumer;

/** A host file whose tables are read and never change, without any lock of its own; who punches a hole is told of to the test. */
final class FixedTables implements Storage {
    private final byte[] bytes;
    private final LongConsumer holeAt;

    FixedTables(byte[] bytes, LongConsumer holeAt) {
        this.bytes = bytes;
        this.holeAt = holeAt;
    }

    @Override
    public String name() {
        return "fixed.qcow2";
    }

    @Override
    public long sizeBytes() {
        return bytes.length;
    }

    @Override
    public long read(long offset, MemorySegment destination) {
        long length = Math.min(destination.byteSize(), bytes.length - offset);
        MemorySegment.copy(MemorySegment.ofArray(bytes), offset, destination, 0, length);
        return length;
    }

    @Override
    public long readv(long offset, MemorySegment[] destinations, int count) {
        throw new UnsupportedOperationException("readv");
    }

    @Override
    public void write(long offset, MemorySegment source) {
        throw new UnsupportedOperationException("write");
    }

    @Override
    public void writev(long offset, MemorySegment[] sources, int count) {
        throw new UnsupportedOperationException("writev");
    }

    @Override
    public void punchHole(long offset, long length) {
        holeAt.accept(offset);
    }

    @Override
    public void zero(long offset, long length) {
        throw new UnsupportedOperationException("zero");
    }

    @Override
    public void allocate(long offset, long length) {
        throw new UnsupportedOperationException("allocate");
    }

    @Override
    public void truncate(long sizeBytes) {
        throw new UnsupportedOperationException("truncate");
    }

    @Override
    public void sync() {
        throw new UnsupportedOperationException("sync");
    }

    @Override
    public HostRange rangeAt(long offset) {
        return new HostRange(true, bytes.length - offset);
    }

    @Override
    public int preferredAlignment() {
        return 1;
    }

    @Override
    public Storage reopen() {
        return this;
    }

    @Override
    public void close() {}
}
