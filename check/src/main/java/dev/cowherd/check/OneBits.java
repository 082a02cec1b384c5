package dev.cowherd.check;

import dev.cowherd.format.Geometry;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** Which clusters have a refcount of exactly one in the file, read as asked for and remembered in a bit each. */
final class OneBits {
    /** Regions remembered: 2 KiB each. */
    private static final int SLOTS = 4096;

    private final RefcountBlocks refcounts;
    private final HostTables host;
    private final RefcountBlocks.Buffers buffers;
    private final long[] values = new long[ReferenceCounts.REGION_CLUSTERS];
    private final long[] keys = new long[SLOTS];
    private final long[] @Nullable [] bits = new long[SLOTS][];

    OneBits(Geometry geometry, RefcountBlocks refcounts, HostTables host) {
        this.refcounts = refcounts;
        this.host = host;
        this.buffers = new RefcountBlocks.Buffers(geometry);
    }

    /** Whether the refcount of a cluster is one; false where no block can be read. */
    boolean isOne(long cluster) throws IOException {
        if (refcounts.blockOffset(cluster) == 0) {
            return false;
        }
        long region = cluster >>> ReferenceCounts.REGION_BITS;
        int slot = (int) region & (SLOTS - 1);
        long[] known = bits[slot];
        if (known == null || keys[slot] != region) {
            known = load(region << ReferenceCounts.REGION_BITS);
            bits[slot] = known;
            keys[slot] = region;
        }
        int index = (int) cluster & (ReferenceCounts.REGION_CLUSTERS - 1);
        return (known[index >>> 6] >>> index & 1) != 0;
    }

    /** The refcount of one cluster, which must be readable. */
    long refcount(long cluster) throws IOException {
        refcounts.read(host, buffers, cluster, 1, values);
        return values[0];
    }

    private long[] load(long from) throws IOException {
        long[] ones = new long[ReferenceCounts.REGION_CLUSTERS / Long.SIZE];
        int at = 0;
        while (at < ReferenceCounts.REGION_CLUSTERS) {
            int run = (int) Math.min(ReferenceCounts.REGION_CLUSTERS - at, refcounts.leftInBlock(from + at));
            if (refcounts.isReadable(refcounts.blockOffset(from + at))) {
                refcounts.read(host, buffers, from + at, run, values);
                for (int i = 0; i < run; i++) {
                    if (values[i] == 1) {
                        ones[(at + i) >>> 6] |= 1L << (at + i);
                    }
                }
            }
            at += run;
        }
        return ones;
    }
}
