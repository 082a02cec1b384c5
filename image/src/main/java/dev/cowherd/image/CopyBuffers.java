package dev.cowherd.image;

import dev.cowherd.metadata.Signal;
import dev.cowherd.metadata.Waits;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/**
 * Memory for what goes into a new cluster beside the guest's bytes, one buffer of two clusters a write. The requests that a queue has in
 * flight share them, the last one given back first, which is in the processor's cache. Taken as they are needed, {@link #BYTES} at most or one
 * buffer: with clusters of 2 MiB a deep queue would hold hundreds of megabytes otherwise. For one thread, as its requests are.
 */
final class CopyBuffers {
    private static final int BYTES = 16 << 20;
    private static final int ALIGNMENT = 4096;

    private final Arena arena;
    private final Waits waits;
    private final long bufferBytes;
    private final long most;
    private final ArrayDeque<MemorySegment> idle = new ArrayDeque<>();
    private long made;
    /** Fired when a buffer is free again; null as long as nobody waits for that. */
    private @Nullable Signal free;

    CopyBuffers(Arena arena, Waits waits, int clusterBytes) {
        this.arena = arena;
        this.waits = waits;
        this.bufferBytes = 2L * clusterBytes;
        this.most = Math.max(1, BYTES / bufferBytes);
    }

    /** Takes one, of two clusters; whoever holds it waits for nobody who wants one, so it comes back. */
    MemorySegment take() {
        while (true) {
            MemorySegment buffer = idle.poll();
            if (buffer != null) {
                return buffer;
            }
            if (made < most) {
                buffer = arena.allocate(bufferBytes, ALIGNMENT);
                made++;
                return buffer;
            }
            Signal signal = free;
            if (signal == null) {
                signal = new Signal();
                free = signal;
            }
            waits.await(signal);
        }
    }

    void giveBack(MemorySegment buffer) {
        idle.push(buffer);
        Signal signal = free;
        if (signal != null) {
            // All of them: the first may be served already by what came back since.
            free = null;
            signal.fire();
        }
    }
}
