package dev.cowherd.check;

import dev.cowherd.format.Geometry;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * The third stage: compares the references counted with the refcounts in the file, region by region on all cores, then puts
 * the regions that differ into words on one thread. Refcounts are compared as unsigned numbers.
 */
final class CompareStage implements Crew.Job {
    private final Geometry geometry;
    private final ReferenceCounts counts;
    private final RefcountBlocks refcounts;
    private final long clusters;
    private final Progress progress;
    private final AtomicLong cursor = new AtomicLong();
    private final List<Long> differing = new ArrayList<>();
    private long highest;
    private boolean copiedSuspect;
    private boolean signalled;
    private boolean uncounted;
    private long overflows;

    CompareStage(
            Geometry geometry, ReferenceCounts counts, RefcountBlocks refcounts, long clusters, Progress progress) {
        this.geometry = geometry;
        this.counts = counts;
        this.refcounts = refcounts;
        this.clusters = clusters;
        this.progress = progress;
    }

    /** How many parts there are to work on. */
    long parts() {
        return (clusters + ReferenceCounts.REGION_CLUSTERS - 1) >>> ReferenceCounts.REGION_BITS;
    }

    @Override
    public void giveUp() {
        cursor.set(parts());
    }

    @Override
    public void work(HostTables host, boolean first) throws IOException {
        RegionReader reader = new RegionReader(host);
        List<Long> differs = new ArrayList<>();
        long last = 0;
        boolean suspect = false;
        long parts = parts();
        for (long part = cursor.getAndIncrement(); part < parts; part = cursor.getAndIncrement()) {
            long from = part << ReferenceCounts.REGION_BITS;
            int length = (int) Math.min(ReferenceCounts.REGION_CLUSTERS, clusters - from);
            ReferenceCounts.Region region = counts.regionAt(from);
            if (region == null && !refcounts.haveBlock(from, length)) {
                continue;
            }
            if (!reader.load(from, length)) {
                differs.add(part);
                suspect = true;
            } else if (region == null) {
                if (!allZero(reader.values, length)) {
                    differs.add(part);
                }
            } else {
                int judged = region.judge(reader.values, length);
                if ((judged & ReferenceCounts.DIFFERS) != 0) {
                    differs.add(part);
                }
                suspect |= (judged & ReferenceCounts.COPIED_WRONG) != 0;
                last = Math.max(last, lastUsed(region, reader.values, from, length));
            }
            progress.did((long) length * geometry.refcountBits() / Byte.SIZE);
            if (first) {
                progress.tell();
            }
        }
        synchronized (differing) {
            differing.addAll(differs);
            highest = Math.max(highest, last);
            copiedSuspect |= suspect;
        }
    }

    private static boolean allZero(long[] values, int length) {
        long any = 0;
        for (int i = 0; i < length; i++) {
            any |= values[i];
        }
        return any == 0;
    }

    private static long lastUsed(ReferenceCounts.Region region, long[] values, long from, int length) {
        for (int i = length - 1; i >= 0; i--) {
            if (values[i] != 0 || region.get(i) != 0) {
                return from + i;
            }
        }
        return 0;
    }

    /** Puts the differences into words, in the order of the file. */
    void report(HostTables host, Findings findings) throws IOException {
        Collections.sort(differing);
        RegionReader reader = new RegionReader(host);
        for (long part : differing) {
            long from = part << ReferenceCounts.REGION_BITS;
            int length = (int) Math.min(ReferenceCounts.REGION_CLUSTERS, clusters - from);
            reader.load(from, length);
            ReferenceCounts.Region region = counts.regionAt(from);
            for (int i = 0; i < length; i++) {
                long cluster = from + i;
                long references = limited(cluster, region == null ? 0 : region.get(i), findings);
                if (refcounts.isReadable(refcounts.blockOffset(cluster))) {
                    compare(cluster, reader.values[i], references, findings);
                } else {
                    unreadable(cluster, findings);
                }
            }
        }
    }

    /** What the file's width of refcounts can hold of the references; more of them are corruptions. */
    private long limited(long cluster, long references, Findings findings) {
        long max = geometry.maxRefcount();
        if (Long.compareUnsigned(references, max) <= 0) {
            return references;
        }
        findings.corruptions(
                references - max,
                "ERROR: overflow cluster offset=0x" + Findings.hex(cluster << geometry.clusterBits()));
        return max;
    }

    private void compare(long cluster, long refcount, long reference, Findings findings) {
        if (refcount != 0 || reference != 0) {
            highest = Math.max(highest, cluster);
        }
        uncounted |= refcount == 0 && reference != 0;
        if (Long.compareUnsigned(refcount, reference) < 0) {
            findings.corruption(difference("ERROR", cluster, refcount, reference));
        } else if (refcount != reference) {
            findings.leak(difference("Leaked", cluster, refcount, reference));
        }
    }

    /** A cluster whose refcount in the file is not the number of references to it. */
    @FunctionalInterface
    interface Difference {
        /**
         * Called for each such cluster.
         *
         * @param refcount as the file has it
         * @param references as counted, but no more than a refcount can hold
         */
        void at(long cluster, long refcount, long references) throws IOException;
    }

    /** Goes once more over the differences that the work found, in the order of the file and as the file has them now. */
    void differences(HostTables host, Difference difference) throws IOException {
        Collections.sort(differing);
        RegionReader reader = new RegionReader(host);
        long max = geometry.maxRefcount();
        overflows = 0;
        for (long part : differing) {
            long from = part << ReferenceCounts.REGION_BITS;
            int length = (int) Math.min(ReferenceCounts.REGION_CLUSTERS, clusters - from);
            reader.load(from, length);
            ReferenceCounts.Region region = counts.regionAt(from);
            for (int i = 0; i < length; i++) {
                long references = region == null ? 0 : region.get(i);
                if (Long.compareUnsigned(references, max) > 0) {
                    overflows += references - max;
                    references = max;
                }
                if (reader.values[i] != 0 || references != 0) {
                    highest = Math.max(highest, from + i);
                }
                if (reader.values[i] != references) {
                    difference.at(from + i, reader.values[i], references);
                }
            }
        }
    }

    /** References that are more than a refcount can hold; of the last walk over the differences. */
    long overflows() {
        return overflows;
    }

    /** Whether a cluster in use has a refcount of 0, for which there may be no block; complete after the report. */
    boolean sawUncounted() {
        return uncounted;
    }

    static String difference(String kind, long cluster, long refcount, long reference) {
        return kind + " cluster " + cluster + " refcount=" + Long.toUnsignedString(refcount) + " reference="
                + reference;
    }

    private void unreadable(long cluster, Findings findings) {
        long block = refcounts.blockOffset(cluster);
        if (!signalled && geometry.offsetInCluster(block) != 0) {
            signalled = true;
            long index = cluster >>> geometry.refcountsPerBlockBits();
            findings.note("qcow2: Image is corrupt: Refblock offset 0x" + Findings.hex(block)
                    + " unaligned (reftable index: "
                    + (index == 0 ? "0" : "0x" + Findings.hex(index))
                    + "); further non-fatal corruption events will be suppressed");
        }
        findings.checkError("Can't get refcount for cluster " + cluster + ": Input/output error");
    }

    /** Whether a COPIED flag contradicts a refcount somewhere, or may; complete after the work. */
    boolean copiedSuspect() {
        return copiedSuspect;
    }

    /** The last cluster with a refcount or a reference, 0 if there is none; complete after the report. */
    long highestCluster() {
        return highest;
    }

    /** The refcounts in the file of one region at a time. */
    private final class RegionReader {
        private final HostTables host;
        private final RefcountBlocks.Buffers buffers = new RefcountBlocks.Buffers(geometry);
        private final long[] values = new long[ReferenceCounts.REGION_CLUSTERS];
        private long @Nullable [] piece;

        RegionReader(HostTables host) {
            this.host = host;
        }

        /** Fills {@link #values}; false if a block of the region cannot be read (its values are then 0). */
        boolean load(long from, int length) throws IOException {
            boolean readable = true;
            int at = 0;
            while (at < length) {
                int run = (int) Math.min(length - at, refcounts.leftInBlock(from + at));
                boolean direct = at == 0;
                long[] into = direct ? values : piece(run);
                if (refcounts.isReadable(refcounts.blockOffset(from + at))) {
                    refcounts.read(host, buffers, from + at, run, into);
                } else {
                    readable = false;
                    Arrays.fill(into, 0, run, 0);
                }
                if (!direct) {
                    System.arraycopy(into, 0, values, at, run);
                }
                at += run;
            }
            return readable;
        }

        private long[] piece(int length) {
            if (piece == null || piece.length < length) {
                piece = new long[Math.min(geometry.refcountsPerBlock(), ReferenceCounts.REGION_CLUSTERS)];
            }
            return piece;
        }
    }
}
