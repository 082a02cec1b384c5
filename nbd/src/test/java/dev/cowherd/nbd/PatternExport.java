package dev.cowherd.nbd;

import dev.cowherd.image.Engine;
import dev.cowherd.storage.fiber.FiberLoop;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.LongConsumer;

/**
 * An export whose every byte follows from its offset, with one hole, one place that cannot be read, and a hook before each
 * read, where a test holds a connection.
 */
final class PatternExport implements Export {
    private final long sizeBytes;
    private final long holeStart;
    private final long holeEnd;
    private final long badOffset;
    private final LongConsumer beforeRead;
    final AtomicInteger openQueues = new AtomicInteger();

    private PatternExport(long sizeBytes, long holeStart, long holeEnd, long badOffset, LongConsumer beforeRead) {
        this.sizeBytes = sizeBytes;
        this.holeStart = holeStart;
        this.holeEnd = holeEnd;
        this.badOffset = badOffset;
        this.beforeRead = beforeRead;
    }

    static PatternExport of(long sizeBytes) {
        return new PatternExport(sizeBytes, 0, 0, -1, offset -> {});
    }

    PatternExport withHole(long start, long end) {
        return new PatternExport(sizeBytes, start, end, badOffset, beforeRead);
    }

    PatternExport withBadByteAt(long offset) {
        return new PatternExport(sizeBytes, holeStart, holeEnd, offset, beforeRead);
    }

    PatternExport withBeforeRead(LongConsumer hook) {
        return new PatternExport(sizeBytes, holeStart, holeEnd, badOffset, hook);
    }

    byte byteAt(long offset) {
        if (offset >= holeStart && offset < holeEnd) {
            return 0;
        }
        long mixed = (offset + 1) * 0x9e3779b97f4a7c15L;
        return (byte) (mixed >>> 56 | 1);
    }

    byte[] bytes(long offset, int length) {
        byte[] bytes = new byte[length];
        for (int i = 0; i < length; i++) {
            bytes[i] = byteAt(offset + i);
        }
        return bytes;
    }

    @Override
    public long sizeBytes() {
        return sizeBytes;
    }

    @Override
    public boolean isWritable() {
        return false;
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
        return new ReadingQueue() {
            @Override
            public void read(long offset, MemorySegment destination) throws IOException {
                beforeRead.accept(offset);
                long length = destination.byteSize();
                if (badOffset >= offset && badOffset < offset + length) {
                    throw new IOException("bad byte at " + badOffset);
                }
                for (long i = 0; i < length; i++) {
                    destination.set(ValueLayout.JAVA_BYTE, i, byteAt(offset + i));
                }
            }

            @Override
            public Run runAt(long offset, long maxLength) {
                boolean inHole = offset >= holeStart && offset < holeEnd;
                long end = inHole ? holeEnd : offset < holeStart ? holeStart : sizeBytes;
                return new Run(Math.min(end - offset, maxLength), inHole, inHole);
            }

            @Override
            public void close() {
                openQueues.decrementAndGet();
            }
        };
    }
}
