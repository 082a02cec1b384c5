package dev.cowherd.check;

import dev.cowherd.format.UnsupportedImageException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/**
 * How many references the check has found to each cluster of the file.
 *
 * <p>One byte a cluster, in regions that come to be with their first reference: six bits of count, and two bits that say
 * whether an active table refers to the cluster with the COPIED flag and without it. A region in which a count outgrows its
 * six bits gets a wide count for each of its clusters. Memory therefore follows what the file holds, and its sum is bounded
 * by the budget: what does not fit is refused, not attempted.
 *
 * <p>Safe for any number of threads: runs of clusters are added under the lock of their region, which is held for one run
 * and never over I/O.
 */
final class ReferenceCounts {
    /** An active L1 or L2 entry with the COPIED flag refers to the cluster. */
    static final int COPIED = 0x40;
    /** An active L1 or L2 entry without the COPIED flag refers to the cluster. */
    static final int NOT_COPIED = 0x80;

    /** The judgement that a count is not the refcount in the file. */
    static final int DIFFERS = 1;
    /** The judgement that an active entry's COPIED flag does not go with the refcount in the file. */
    static final int COPIED_WRONG = 2;

    static final int REGION_BITS = 14;
    static final int REGION_CLUSTERS = 1 << REGION_BITS;

    private static final int NARROW_MASK = 0x3f;
    /** The narrow count that means: look at the wide one. */
    private static final int OUTGROWN = 0x3f;

    private final AtomicReferenceArray<@Nullable Region> regions;
    private final long clusters;
    private final long budgetBytes;
    private final AtomicLong usedBytes = new AtomicLong();

    /**
     * Counts for clusters 0 to {@code clusters - 1}.
     *
     * @param clusters how many clusters can be referred to
     * @param budgetBytes the most memory to use for counts, in bytes
     */
    ReferenceCounts(long clusters, long budgetBytes) {
        this.clusters = clusters;
        this.budgetBytes = budgetBytes;
        this.regions = new AtomicReferenceArray<>(Math.toIntExact((clusters + REGION_CLUSTERS - 1) >>> REGION_BITS));
    }

    /** Counts {@code weight} more references to each of {@code count} clusters, and sets the flags. */
    void add(long first, long count, long weight, int flags) throws UnsupportedImageException {
        if (first < 0 || count < 0 || first > clusters - count) {
            throw new IllegalArgumentException("clusters " + first + "+" + count + " of " + clusters);
        }
        long cluster = first;
        long left = count;
        while (left > 0) {
            int from = (int) (cluster & (REGION_CLUSTERS - 1));
            int length = (int) Math.min(left, REGION_CLUSTERS - from);
            region(cluster).add(from, length, weight, flags);
            cluster += length;
            left -= length;
        }
    }

    /** How many clusters can be counted. */
    long clusters() {
        return clusters;
    }

    /** The references to one cluster. Exact only when nothing is being added. */
    long get(long cluster) {
        Region region = regions.get((int) (cluster >>> REGION_BITS));
        return region == null ? 0 : region.get((int) (cluster & (REGION_CLUSTERS - 1)));
    }

    /**
     * The region that holds a cluster, for reading when nothing is added any more.
     *
     * @return the region, or null when none of its clusters is referred to
     */
    @Nullable
    Region regionAt(long cluster) {
        return regions.get((int) (cluster >>> REGION_BITS));
    }

    private Region region(long cluster) throws UnsupportedImageException {
        int index = (int) (cluster >>> REGION_BITS);
        Region region = regions.get(index);
        if (region != null) {
            return region;
        }
        take(REGION_CLUSTERS);
        Region fresh = new Region();
        Region other = regions.compareAndExchange(index, null, fresh);
        return other == null ? fresh : other;
    }

    private void take(long bytes) throws UnsupportedImageException {
        if (usedBytes.addAndGet(bytes) > budgetBytes) {
            throw new UnsupportedImageException(
                    "reference counts",
                    -1,
                    "counting the references to " + clusters + " clusters takes more than the " + budgetBytes
                            + " bytes of memory set aside for it");
        }
    }

    /** The counts of {@link #REGION_CLUSTERS} neighbouring clusters. */
    final class Region {
        private final byte[] narrow = new byte[REGION_CLUSTERS];
        private long @Nullable [] wide;

        private synchronized void add(int from, int length, long weight, int flags) throws UnsupportedImageException {
            byte[] counts = narrow;
            if (weight < OUTGROWN) {
                int step = (int) weight;
                for (int i = from; i < from + length; i++) {
                    int sum = (counts[i] & NARROW_MASK) + step;
                    if (sum < OUTGROWN) {
                        counts[i] = (byte) (counts[i] + step | flags);
                    } else {
                        addWide(i, weight, flags);
                    }
                }
            } else {
                for (int i = from; i < from + length; i++) {
                    addWide(i, weight, flags);
                }
            }
        }

        private void addWide(int i, long weight, int flags) throws UnsupportedImageException {
            long[] counts = wide;
            if (counts == null) {
                take((long) Long.BYTES * REGION_CLUSTERS);
                counts = new long[REGION_CLUSTERS];
                wide = counts;
            }
            int old = narrow[i] & NARROW_MASK;
            counts[i] = (old == OUTGROWN ? counts[i] : old) + weight;
            narrow[i] |= (byte) (OUTGROWN | flags);
        }

        /** References to the cluster at an index of this region. */
        long get(int i) {
            int count = narrow[i] & NARROW_MASK;
            return count == OUTGROWN && wide != null ? wide[i] : count;
        }

        /**
         * Judges the counts and flags by the refcounts in the file, in one pass over both.
         *
         * @param refcounts of the first {@code length} clusters
         * @return {@link #DIFFERS} and {@link #COPIED_WRONG}, where they hold for any cluster
         */
        int judge(long[] refcounts, int length) {
            byte[] counts = narrow;
            boolean plain = wide == null;
            long difference = 0;
            int wrong = 0;
            for (int i = 0; i < length; i++) {
                long refcount = refcounts[i];
                int count = counts[i];
                difference |= refcount ^ (plain ? count & NARROW_MASK : get(i));
                wrong |= count & (refcount == 1 ? NOT_COPIED : COPIED);
            }
            return (difference == 0 ? 0 : DIFFERS) | (wrong == 0 ? 0 : COPIED_WRONG);
        }
    }
}
