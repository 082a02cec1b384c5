package dev.cowherd.check;

import dev.cowherd.format.CorruptImageException;
import dev.cowherd.format.Geometry;
import dev.cowherd.format.Header;
import dev.cowherd.format.Limits;
import java.io.IOException;

/** The refcount table: reads it, and counts its blocks when everything else is counted. */
final class RefcountTableOwners {
    private static final String STRUCTURE = "refcount table";
    private static final long RESERVED = 0x1ff;

    private RefcountTableOwners() {}

    /** Reads the entries that are in the file. A table of no clusters is allowed: then every cluster in use is a fault. */
    static RefcountBlocks read(Header header, long fileBytes, HostTables host) throws IOException {
        Geometry geometry = header.geometry();
        long clusters = Integer.toUnsignedLong(header.refcountTableClusters());
        long offset = header.refcountTableOffset();
        if (clusters > Limits.MAX_REFCOUNT_TABLE_BYTES >>> geometry.clusterBits()) {
            throw new CorruptImageException(
                    STRUCTURE,
                    offset,
                    clusters + " clusters; at most " + (Limits.MAX_REFCOUNT_TABLE_BYTES >>> geometry.clusterBits()));
        }
        long bytes = clusters << geometry.clusterBits();
        if (offset < 0 || geometry.offsetInCluster(offset) != 0 || offset > Long.MAX_VALUE - bytes) {
            throw new CorruptImageException(STRUCTURE, offset, "starts at no cluster boundary, or past every file");
        }
        long there = Math.min(bytes, Math.max(0, fileBytes - offset));
        long[] table = new long[(int) ((there + Long.BYTES - 1) / Long.BYTES)];
        host.words(offset, table.length, table);
        return new RefcountBlocks(geometry, table);
    }

    /**
     * Judges every entry and counts the blocks. Each must be referred to once, by the table.
     *
     * @return whether some of them cannot be used, so that only new ones help
     */
    static boolean countBlocks(
            RefcountBlocks blocks, Geometry geometry, ReferenceCounts counts, ClusterOwners owners, Findings findings)
            throws IOException {
        boolean unusable = false;
        for (int i = 0; i < blocks.tableEntries(); i++) {
            long word = blocks.tableEntry(i);
            long offset = word & RefcountBlocks.OFFSET_MASK;
            long cluster = offset >>> geometry.clusterBits();
            if ((word & RESERVED) != 0) {
                unusable = true;
                findings.corruption("ERROR refcount table entry " + i + " has reserved bits set");
            } else if (geometry.offsetInCluster(offset) != 0) {
                unusable = true;
                findings.corruption(
                        "ERROR refcount block " + i + " is not cluster aligned; refcount table entry corrupted");
            } else if (cluster >= owners.clusters()) {
                unusable = true;
                findings.corruption("ERROR refcount block " + i + " is outside image");
            } else if (offset != 0) {
                owners.count(offset, geometry.clusterBytes(), 1, 0);
                long references = counts.get(cluster);
                if (Long.compareUnsigned(references, geometry.maxRefcount()) > 0) {
                    references = geometry.maxRefcount();
                }
                if (references != 1) {
                    unusable = true;
                    findings.corruption("ERROR refcount block " + i + " refcount=" + references);
                }
            }
        }
        return unusable;
    }
}
