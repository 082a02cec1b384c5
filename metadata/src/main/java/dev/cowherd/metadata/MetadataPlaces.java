package dev.cowherd.metadata;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The host clusters that hold metadata, each with what it holds: so that no newly allocated cluster and no table lands on one,
 * whatever wrong refcounts say. The kinds are those of QEMU's overlap checks. An open hash table, because there
 * is one entry for every table of a large image. Not thread-safe: the allocator's mutex guards it.
 */
final class MetadataPlaces {
    /** What a cluster holds. */
    enum Kind {
        HEADER("the image header"),
        ACTIVE_L1("the active L1 table"),
        ACTIVE_L2("an active L2 table"),
        REFCOUNT_TABLE("the refcount table"),
        REFCOUNT_BLOCK("a refcount block"),
        SNAPSHOT_TABLE("the snapshot table"),
        INACTIVE_L1("a snapshot's L1 table"),
        INACTIVE_L2("a snapshot's L2 table"),
        BITMAPS("the bitmap directory");

        final String label;

        Kind(String label) {
            this.label = label;
        }
    }

    private static final long EMPTY = -1;
    private static final long REMOVED = -2;

    private long[] clusters = new long[64];
    private Kind[] kinds = new Kind[64];
    private int used;

    MetadataPlaces() {
        Arrays.fill(clusters, EMPTY);
    }

    /** Notes that a cluster holds metadata; a cluster that is noted already keeps its first kind. */
    void add(long cluster, Kind kind) {
        if (used * 2 >= clusters.length) {
            grow();
        }
        int at = home(cluster);
        while (clusters[at] != EMPTY) {
            if (clusters[at] == cluster) {
                return;
            }
            at = next(at);
        }
        clusters[at] = cluster;
        kinds[at] = kind;
        used++;
    }

    void add(long cluster, long count, Kind kind) {
        for (long i = 0; i < count; i++) {
            add(cluster + i, kind);
        }
    }

    void remove(long cluster) {
        int at = find(cluster);
        if (at >= 0) {
            clusters[at] = REMOVED;
        }
    }

    /** What a cluster holds, or null if it is no metadata. */
    @Nullable
    Kind at(long cluster) {
        int at = find(cluster);
        return at < 0 ? null : kinds[at];
    }

    private int find(long cluster) {
        for (int at = home(cluster); clusters[at] != EMPTY; at = next(at)) {
            if (clusters[at] == cluster) {
                return at;
            }
        }
        return -1;
    }

    private int next(int at) {
        return (at + 1) & (clusters.length - 1);
    }

    private int home(long cluster) {
        return (int) ((cluster * 0x9e37_79b9_7f4a_7c15L) >>> 32) & (clusters.length - 1);
    }

    private void grow() {
        long[] oldClusters = clusters;
        Kind[] oldKinds = kinds;
        clusters = new long[oldClusters.length * 2];
        kinds = new Kind[clusters.length];
        Arrays.fill(clusters, EMPTY);
        used = 0;
        for (int i = 0; i < oldClusters.length; i++) {
            if (oldClusters[i] >= 0) {
                add(oldClusters[i], oldKinds[i]);
            }
        }
    }
}
