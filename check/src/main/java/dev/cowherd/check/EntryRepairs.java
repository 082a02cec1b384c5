package dev.cowherd.check;

import dev.cowherd.format.Geometry;
import dev.cowherd.format.Header;
import dev.cowherd.format.L2Entry;
import dev.cowherd.format.Subclusters;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/**
 * Corrections of L1 and L2 entries. A table is only touched where it has its clusters to itself: one that something else claims
 * too may not be a table at all.
 */
final class EntryRepairs {
    /** Entries that are remembered to be corrected; more of them stay as they are, so that memory is bounded. */
    private static final int MAX_NOTED = 1 << 16;

    private final Geometry geometry;
    private final ReferenceCounts counts;
    private final L2Tables tables;
    private final Findings findings;
    private final RepairWriter writer;
    private final List<Patch> noted = new ArrayList<>();

    /** An entry of a table, and the subclusters that shall read as zeros if it has any. */
    private record Patch(int table, int index, long bitmap) {}

    EntryRepairs(Header header, ReferenceCounts counts, L2Tables tables, Findings findings, RepairWriter writer) {
        this.geometry = header.geometry();
        this.counts = counts;
        this.tables = tables;
        this.findings = findings;
        this.writer = writer;
    }

    /**
     * Notes an allocated entry without data whose offset is no cluster: it shall read as the same zeros without a cluster. Who owns
     * its table is known only when everything is counted, so {@link #applyNoted} judges that.
     *
     * @return false if it must stay as it is
     */
    boolean noteZeros(int table, int index, long bitmap) {
        if (noted.size() == MAX_NOTED) {
            return false;
        }
        noted.add(new Patch(table, index, (bitmap | bitmap << 32) & Subclusters.ALL_ZERO));
        return true;
    }

    /** Writes what was noted; durable on return. What cannot be written is a corruption after all. */
    void applyNoted() throws IOException {
        for (Patch patch : noted) {
            if (ownsItsCluster(patch.table())) {
                long at = tables.offset(patch.table()) + (long) patch.index() * geometry.l2EntryBytes();
                if (geometry.extendedL2()) {
                    writer.words(at, 0, patch.bitmap());
                } else {
                    writer.words(at, L2Entry.ZERO);
                }
                findings.fixedCorruptions(1);
            } else {
                findings.corruptions(tables.references(patch.table()), "ERROR: Overlap check failed");
            }
        }
        if (!noted.isEmpty()) {
            noted.clear();
            writer.sync();
        }
    }

    /** Whether the cluster of an L2 table belongs to nothing but the L1 entries that refer to it as a table. */
    boolean ownsItsCluster(int table) {
        long offset = tables.offset(table);
        return geometry.offsetInCluster(offset) == 0
                && counts.get(offset >>> geometry.clusterBits()) == tables.references(table);
    }

    /** Whether the cluster at an offset belongs to one structure alone. */
    boolean isOwnedOnce(long offset) {
        return counts.get(offset >>> geometry.clusterBits()) == 1;
    }

    /** Writes corrected words of a table that was found to have its clusters to itself; durable after the writer's next sync. */
    void write(long offset, long[] words, int corrected) throws IOException {
        writer.words(offset, words);
        findings.fixedCorruptions(corrected);
    }
}
