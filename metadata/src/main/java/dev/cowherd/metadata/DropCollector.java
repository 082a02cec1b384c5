package dev.cowherd.metadata;

import dev.cowherd.format.Geometry;
import dev.cowherd.format.L2Entry;
import java.util.ArrayList;
import java.util.List;

/** Gathers the references that replaced entries held: of the host cluster, or of all that a compressed cluster's data lies in. */
final class DropCollector {
    private final Geometry geometry;
    private final boolean external;
    private final List<long[]> runs = new ArrayList<>(0);

    DropCollector(Geometry geometry, boolean external) {
        this.geometry = geometry;
        this.external = external;
    }

    /** The first word of an entry that is replaced by one with another host cluster, or none. */
    void entry(long word) {
        int clusterBits = geometry.clusterBits();
        if (L2Entry.isCompressed(word)) {
            long start = L2Entry.compressedHostOffset(word, clusterBits);
            long end = start + L2Entry.compressedBytes(word, clusterBits) - 1;
            add(start >>> clusterBits, (end >>> clusterBits) - (start >>> clusterBits) + 1);
        } else if (!external && L2Entry.isAllocated(word, false)) {
            add(L2Entry.hostOffset(word) >>> clusterBits, 1);
        }
    }

    private void add(long cluster, long count) {
        if (!runs.isEmpty() && runs.getLast()[0] + runs.getLast()[1] == cluster) {
            runs.getLast()[1] += count;
        } else {
            runs.add(new long[] {cluster, count});
        }
    }

    /** All of them, as of now: the entries that lost them have been published. */
    List<Dropped> stamped(Epochs epochs) {
        if (runs.isEmpty()) {
            return List.of();
        }
        long stamp = epochs.stamp();
        List<Dropped> drops = new ArrayList<>(runs.size());
        for (long[] run : runs) {
            drops.add(new Dropped(run[0], run[1], stamp));
        }
        return drops;
    }
}
