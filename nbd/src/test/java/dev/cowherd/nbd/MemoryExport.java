package dev.cowherd.nbd;

import dev.cowherd.image.Engine;
import dev.cowherd.storage.fiber.FiberLoop;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A writable export in memory that notes what it was asked for, and does whatever a test wants before each change. Zeros are
 * fast on whole blocks of 4096 bytes.
 */
final class MemoryExport implements Export {
    /** What a test wants to happen before a change or a flush. */
    interface Hook {
        void before(String what, long offset, long length) throws IOException;
    }

    private final MemorySegment bytes;
    final AtomicInteger openQueues = new AtomicInteger();
    final AtomicInteger flushes = new AtomicInteger();
    final AtomicInteger trims = new AtomicInteger();
    final AtomicInteger unmappingZeroes = new AtomicInteger();
    volatile Hook hook = (what, offset, length) -> {};

    MemoryExport(int sizeBytes) {
        bytes = Arena.ofAuto().allocate(sizeBytes);
    }

    byte[] bytes(long offset, long length) {
        return bytes.asSlice(offset, length).toArray(ValueLayout.JAVA_BYTE);
    }

    @Override
    public long sizeBytes() {
        return bytes.byteSize();
    }

    @Override
    public boolean isWritable() {
        return true;
    }

    @Override
    public Engine engine() {
        return Engine.AUTO;
    }

    @Override
    public Engine suitedEngine(int maxInflight) {
        return Engine.SYNC;
    }

    @Override
    public Pipeline openPipeline(FiberLoop loop, int depth) throws IOException {
        return new FiberPipeline(this, loop);
    }

    @Override
    public Queue openQueue() {
        openQueues.incrementAndGet();
        return new MemoryQueue();
    }

    private final class MemoryQueue implements Queue {
        @Override
        public void read(long offset, MemorySegment destination) {
            destination.copyFrom(bytes.asSlice(offset, destination.byteSize()));
        }

        @Override
        public Run runAt(long offset, long maxLength) {
            return new Run(maxLength, false, false);
        }

        @Override
        public void write(long offset, MemorySegment source) throws IOException {
            hook.before("write", offset, source.byteSize());
            if (!source.isNative()) {
                throw new AssertionError("a payload on the heap");
            }
            bytes.asSlice(offset, source.byteSize()).copyFrom(source);
        }

        @Override
        public void writeZeroes(long offset, long length, boolean mayUnmap) throws IOException {
            hook.before("zeroes", offset, length);
            if (mayUnmap) {
                unmappingZeroes.incrementAndGet();
            }
            bytes.asSlice(offset, length).fill((byte) 0);
        }

        @Override
        public boolean zeroesAreFast(long offset, long length) {
            return (offset | length) % 4096 == 0;
        }

        @Override
        public void trim(long offset, long length) throws IOException {
            hook.before("trim", offset, length);
            trims.incrementAndGet();
            bytes.asSlice(offset, length).fill((byte) 0);
        }

        @Override
        public void flush() throws IOException {
            flushes.incrementAndGet();
            hook.before("flush", 0, 0);
        }

        @Override
        public void close() {
            openQueues.decrementAndGet();
        }
    }
}
