package dev.cowherd.metadata;

import java.util.ArrayList;
import java.util.List;

/**
 * The guest clusters whose entries were made to say "zeros" while their host clusters stayed theirs, for as long as requests from before
 * may still read or write those host clusters. A write that made such an entry say "data" again would share the host cluster with them:
 * an old read would see its bytes before the entry says so, and an old write that ends first would replace them.
 *
 * <p>Thread-safe. A look costs one load where nothing is kept.
 */
final class KeptClusters {
    /** More ranges than this are taken together, with all that lies between. */
    private static final int MOST = 64;

    private record Kept(long first, long end, long stamp) {}

    private final Epochs epochs;
    /** Replaced under the monitor. */
    private volatile List<Kept> kept = List.of();

    KeptClusters(Epochs epochs) {
        this.epochs = epochs;
    }

    /** Every look-up sees the new entries of these clusters; the caller has them to itself. */
    synchronized void add(long first, long end) {
        long stamp = epochs.stamp();
        Kept added = new Kept(first, end, stamp);
        List<Kept> now = new ArrayList<>(inUse(kept));
        if (now.size() == MOST) {
            for (Kept one : now) {
                added = new Kept(Math.min(added.first, one.first), Math.max(added.end, one.end), stamp);
            }
            now.clear();
        }
        now.add(added);
        kept = List.copyOf(now);
    }

    /** Whether a request may still know the host cluster of a guest cluster as one with data. The caller has the cluster to itself. */
    boolean mayBeInUse(long cluster) {
        if (kept.isEmpty()) {
            return false;
        }
        List<Kept> now;
        synchronized (this) {
            now = inUse(kept);
            kept = now;
        }
        return now.stream().anyMatch(one -> one.first <= cluster && cluster < one.end);
    }

    private List<Kept> inUse(List<Kept> all) {
        long oldest = epochs.oldest();
        return all.stream().filter(one -> one.stamp >= oldest).toList();
    }
}
