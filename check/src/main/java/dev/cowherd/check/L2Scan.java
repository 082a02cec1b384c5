package dev.cowherd.check;

import dev.cowherd.format.Geometry;
import dev.cowherd.format.L2Entry;
import dev.cowherd.format.Subclusters;
import dev.cowherd.format.UnsupportedImageException;

/**
 * Scans L2 tables for entries that nothing needs to be said about, and counts what they refer to. Runs of neighbouring
 * clusters are counted in one step. At the first entry with a fault it stops; {@link L2Audit} goes on from there.
 *
 * <p>One a thread.
 */
final class L2Scan {
    /** Bits that must be zero in an entry that is not compressed; bit 0 is left alone in extended entries too, as QEMU does. */
    static final long RESERVED = 0x3f00_0000_0000_01feL;

    private final Geometry geometry;
    private final boolean externalData;
    private final ReferenceCounts counts;
    private final long fileClusters;
    private final L2Stats stats = new L2Stats();

    private long next;
    private long weight;
    private long activeWeight;
    /** References to one cluster by compressed clusters, not yet counted. */
    private long pending;

    private long pendingCluster;

    L2Scan(Geometry geometry, boolean externalData, ReferenceCounts counts, long fileClusters) {
        this.geometry = geometry;
        this.externalData = externalData;
        this.counts = counts;
        this.fileClusters = fileClusters;
    }

    L2Stats stats() {
        return stats;
    }

    /** The offset that would continue the last allocated cluster of the table just scanned; 0 when there was none. */
    long nextContiguous() {
        return next;
    }

    /**
     * Scans one table.
     *
     * @param words holds the table
     * @param from the index of its first word
     * @param references L1 entries that refer to the table
     * @param activeReferences those of the active L1 table among them
     * @return the index of the first entry that needs words, or the number of entries
     */
    int scan(long[] words, int from, long references, long activeReferences) throws UnsupportedImageException {
        weight = references;
        activeWeight = activeReferences;
        next = 0;
        int stop = geometry.extendedL2() ? extended(words, from) : standard(words, from);
        flushPending();
        return stop;
    }

    private int standard(long[] words, int from) throws UnsupportedImageException {
        int entries = geometry.l2EntriesPerTable();
        long clusterBytes = geometry.clusterBytes();
        int i = 0;
        while (i < entries) {
            long word = words[from + i];
            if (word == 0) {
                i++;
                continue;
            }
            if ((word & (L2Entry.COMPRESSED | RESERVED)) != 0) {
                if (!compressed(word)) {
                    return i;
                }
                i++;
                continue;
            }
            if (!L2Entry.isAllocated(word, externalData)
                    || (L2Entry.hostOffset(word) == 0 && L2Entry.isZeroFlag(word))) {
                i++;
                continue;
            }
            int end = i + 1;
            long expected = word + clusterBytes;
            while (end < entries && words[from + end] == expected) {
                end++;
                expected += clusterBytes;
            }
            if (!allocated(word, end - i)) {
                return i;
            }
            i = end;
        }
        return entries;
    }

    private int extended(long[] words, int from) throws UnsupportedImageException {
        int entries = geometry.l2EntriesPerTable();
        long clusterBytes = geometry.clusterBytes();
        int i = 0;
        while (i < entries) {
            long word = words[from + 2 * i];
            long bitmap = words[from + 2 * i + 1];
            if ((word & (L2Entry.COMPRESSED | RESERVED)) != 0) {
                if (bitmap != 0 || !compressed(word)) {
                    return i;
                }
                i++;
                continue;
            }
            if (!L2Entry.isAllocated(word, externalData)) {
                if ((bitmap & Subclusters.ALL_ALLOCATED) != 0) {
                    return i;
                }
                i++;
                continue;
            }
            int end = i;
            long expected = word;
            while (end < entries
                    && words[from + 2 * end] == expected
                    && Subclusters.invalid(words[from + 2 * end + 1]) == 0) {
                end++;
                expected += clusterBytes;
            }
            if (end == i || !allocated(word, end - i)) {
                return i;
            }
            i = end;
        }
        return entries;
    }

    /** Takes a run of allocated clusters; false leaves it, uncounted, to the audit. */
    private boolean allocated(long word, int run) throws UnsupportedImageException {
        long offset = L2Entry.hostOffset(word);
        if (geometry.offsetInCluster(offset) != 0) {
            return false;
        }
        if (externalData) {
            stats.sawNotCopied |= activeWeight != 0 && !L2Entry.copied(word);
        } else {
            long first = offset >>> geometry.clusterBits();
            if (first > fileClusters - run) {
                return false;
            }
            int flags = L2Entry.copied(word) ? ReferenceCounts.COPIED : ReferenceCounts.NOT_COPIED;
            counts.add(first, run, weight, activeWeight == 0 ? 0 : flags);
        }
        stats.allocated += activeWeight * run;
        if (next != 0 && next != offset) {
            stats.fragmented += activeWeight;
        }
        next = offset + (long) run * geometry.clusterBytes();
        return true;
    }

    /** Takes a compressed cluster; false leaves it, uncounted, to the audit. */
    private boolean compressed(long word) throws UnsupportedImageException {
        if (!L2Entry.isCompressed(word) || L2Entry.copied(word) || externalData) {
            return false;
        }
        long offset = L2Entry.compressedHostOffset(word, geometry.clusterBits());
        long end = offset + L2Entry.compressedBytes(word, geometry.clusterBits());
        long first = offset >>> geometry.clusterBits();
        long last = (end - 1) >>> geometry.clusterBits();
        if (last >= fileClusters) {
            return false;
        }
        for (long cluster = first; cluster <= last; cluster++) {
            if (cluster != pendingCluster) {
                flushPending();
                pendingCluster = cluster;
            }
            pending += weight;
        }
        stats.allocated += activeWeight;
        stats.fragmented += activeWeight;
        stats.compressed += activeWeight;
        return true;
    }

    private void flushPending() throws UnsupportedImageException {
        if (pending != 0) {
            counts.add(pendingCluster, 1, pending, 0);
            pending = 0;
        }
    }
}
