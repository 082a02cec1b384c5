package dev.cowherd.image;

import dev.cowherd.metadata.Extent;
import dev.cowherd.metadata.Signal;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * The decompressed clusters that a queue keeps, those that are still being filled among them: whoever wants one of these waits for it.
 * What is compressed at one place of one file never changes while the disk is open, so nothing has to be forgotten.
 *
 * <p>Used by one thread, whose fibers interleave only where they wait.
 */
final class KeptClusters {
    private static final int ALIGNMENT = 4096;

    /** Room for one cluster. */
    static final class Kept {
        private final MemorySegment memory;
        private int depth = -1;
        private long hostOffset;
        private long lastUse;
        /** Fired when it is filled, or will not be; null in between. */
        private @Nullable Signal filling;

        private Kept(MemorySegment memory) {
            this.memory = memory;
        }

        /** What to wait for before the bytes are looked at, or looked for again if filling failed; null if they are there. */
        @Nullable
        Signal filling() {
            return filling;
        }

        /** As much memory as the largest cluster of the chain needs. */
        MemorySegment memory() {
            return memory;
        }
    }

    private final Arena arena;
    private final int clusterBytes;
    private final @Nullable Kept[] kept;
    private long uses;

    /** Memory comes from the arena, as it is needed. */
    KeptClusters(Arena arena, int clusterBytes, int count) {
        this.arena = arena;
        this.clusterBytes = clusterBytes;
        this.kept = new Kept[count];
    }

    /** The cluster that an extent lies in, or null. */
    @Nullable
    Kept find(Extent.Compressed extent) {
        for (Kept cluster : kept) {
            if (cluster != null && cluster.hostOffset == extent.hostOffset() && cluster.depth == extent.depth()) {
                cluster.lastUse = ++uses;
                return cluster;
            }
        }
        return null;
    }

    /**
     * Room for the cluster that an extent lies in, in place of the one not used for longest. It is found from now on, and {@link #filled}
     * follows.
     */
    Kept fill(Extent.Compressed extent) {
        Kept cluster = leastUsed();
        cluster.depth = extent.depth();
        cluster.hostOffset = extent.hostOffset();
        cluster.lastUse = ++uses;
        cluster.filling = new Signal();
        return cluster;
    }

    /** It holds the whole cluster, or nothing. Lets those go on who wait for it. */
    void filled(Kept cluster, boolean whole) {
        Signal waiting = cluster.filling;
        if (waiting == null) {
            throw new IllegalStateException("a decompressed cluster was not being filled");
        }
        if (!whole) {
            cluster.depth = -1;
        }
        cluster.filling = null;
        waiting.fire();
    }

    private Kept leastUsed() {
        Kept least = null;
        for (int i = 0; i < kept.length; i++) {
            Kept cluster = kept[i];
            if (cluster == null) {
                cluster = new Kept(arena.allocate(clusterBytes, ALIGNMENT));
                kept[i] = cluster;
                return cluster;
            }
            if (cluster.filling == null && (least == null || cluster.lastUse < least.lastUse)) {
                least = cluster;
            }
        }
        if (least == null) {
            throw new IllegalStateException("no room for a decompressed cluster");
        }
        return least;
    }
}
