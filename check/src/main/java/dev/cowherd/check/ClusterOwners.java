package dev.cowherd.check;

import dev.cowherd.format.Geometry;
import dev.cowherd.format.UnsupportedImageException;
import java.util.BitSet;
import java.util.List;

/**
 * Counts the clusters that structures of the image own, byte range by byte range. Belongs to the thread that runs the check;
 * only the scan of L2 tables adds to the counts beside it.
 */
final class ClusterOwners {
    private final Geometry geometry;
    private final long fileBytes;
    private final ReferenceCounts counts;
    private final Findings findings;
    /** Clusters behind the file's end that some range names, by their distance from it; as many as a repair may ask for. */
    private final BitSet namedBeyond = new BitSet();

    private final long spareClusters;
    private long clusters;

    /**
     * Owners in a file.
     *
     * @param spareClusters how many clusters behind the file's end {@link #isNamedBeyond} can be asked for
     */
    ClusterOwners(Geometry geometry, long fileBytes, long spareClusters, ReferenceCounts counts, Findings findings) {
        this.geometry = geometry;
        this.fileBytes = fileBytes;
        this.spareClusters = spareClusters;
        this.counts = counts;
        this.findings = findings;
        this.clusters = geometry.clustersFor(fileBytes);
    }

    /**
     * Counts {@code weight} references to every cluster that a range touches. The last cluster of a file may be there in part
     * only, so a range may reach past the file's end, but by less than a cluster: else it is a corruption and counts nothing.
     */
    void count(long offset, long bytes, long weight, int flags) throws UnsupportedImageException {
        if (bytes > 0 && accepts(offset, bytes, weight)) {
            long first = offset >>> geometry.clusterBits();
            long last = (offset + bytes - 1) >>> geometry.clusterBits();
            counts.add(first, last - first + 1, weight, flags);
        }
    }

    /**
     * Counts the clusters that each of many ranges touches. However they overlap, no cluster is visited more often than
     * there are clusters in the file.
     */
    void countAll(List<ByteRange> ranges) throws UnsupportedImageException {
        OverlapSweep sweep = new OverlapSweep();
        for (ByteRange range : ranges) {
            if (range.bytes() > 0 && accepts(range.offset(), range.bytes(), 1)) {
                long last = range.offset() + range.bytes() - 1;
                sweep.add(range.offset() >>> geometry.clusterBits(), (last >>> geometry.clusterBits()) + 1);
            }
        }
        for (OverlapSweep.Piece piece : sweep.pieces()) {
            counts.add(piece.from(), piece.to() - piece.from(), piece.depth(), 0);
        }
    }

    private boolean accepts(long offset, long bytes, long weight) {
        if (offset < 0 || offset - fileBytes >= geometry.clusterBytes() - bytes) {
            findings.corruptions(
                    weight,
                    "ERROR: counting reference for region exceeding the end of the file by one cluster or more: offset 0x"
                            + Findings.hex(offset) + " size 0x" + Findings.hex(bytes));
            nameBeyond(offset, bytes);
            return false;
        }
        clusters = Math.max(clusters, ((offset + bytes - 1) >>> geometry.clusterBits()) + 1);
        return true;
    }

    private void nameBeyond(long offset, long bytes) {
        long base = geometry.clustersFor(fileBytes);
        long first = (offset >>> geometry.clusterBits()) - base;
        long count = geometry.clustersFor(geometry.offsetInCluster(offset) + bytes);
        if (first < spareClusters && first + count > 0) {
            namedBeyond.set((int) Math.max(0, first), (int) Math.min(spareClusters, first + count));
        }
    }

    /** Whether a range that was refused because it lies behind the file's end names a cluster there. */
    boolean isNamedBeyond(long cluster) {
        long base = geometry.clustersFor(fileBytes);
        return cluster >= base && namedBeyond.get(Math.toIntExact(cluster - base));
    }

    /** Clusters to compare: those of the file, and one more if a range reaches into it. */
    long clusters() {
        return clusters;
    }
}
