package dev.cowherd.storage;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.ConcurrentLinkedQueue;

/** Aligned buffers for what cannot go straight between a caller's segment and the device. As many as threads ever bounced at once. */
final class BounceBuffers {
    private static final long BUFFER_BYTES = 256 * 1024;

    private final ConcurrentLinkedQueue<MemorySegment> idle = new ConcurrentLinkedQueue<>();
    private final int alignment;

    BounceBuffers(int alignment) {
        this.alignment = alignment;
    }

    MemorySegment take() {
        MemorySegment buffer = idle.poll();
        return buffer != null ? buffer : Arena.ofAuto().allocate(Math.max(BUFFER_BYTES, alignment), alignment);
    }

    void give(MemorySegment buffer) {
        idle.add(buffer);
    }
}
