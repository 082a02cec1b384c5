package dev.cowherd.check;

import dev.cowherd.format.Geometry;
import dev.cowherd.format.L2Entry;
import dev.cowherd.format.Subclusters;
import dev.cowherd.format.UnsupportedImageException;
import org.jspecify.annotations.Nullable;

/**
 * Judges L2 entries one by one, in words: what {@link L2Scan} leaves alone because something is wrong with it. A table that
 * several L1 entries refer to counts its faults once for each of them, and says them once.
 */
final class L2Audit {
    private final Geometry geometry;
    private final boolean externalData;
    private final ClusterOwners owners;
    private final Findings findings;
    private final @Nullable EntryRepairs repairs;
    private final L2Stats stats = new L2Stats();

    private int table;
    private long references;
    private long activeReferences;
    private long next;

    /** An audit; with {@code repairs}, entries that can be corrected are noted there instead of being counted as corrupt. */
    L2Audit(
            Geometry geometry,
            boolean externalData,
            ClusterOwners owners,
            Findings findings,
            @Nullable EntryRepairs repairs) {
        this.geometry = geometry;
        this.externalData = externalData;
        this.owners = owners;
        this.findings = findings;
        this.repairs = repairs;
    }

    L2Stats stats() {
        return stats;
    }

    /** Judges a table from the entry on at which the scan stopped. */
    void audit(int table, long[] words, int fromEntry, long nextContiguous, long references, long activeReferences)
            throws UnsupportedImageException {
        this.table = table;
        this.references = references;
        this.activeReferences = activeReferences;
        this.next = nextContiguous;
        boolean extended = geometry.extendedL2();
        for (int i = fromEntry; i < geometry.l2EntriesPerTable(); i++) {
            long word = words[extended ? 2 * i : i];
            long bitmap = extended ? words[2 * i + 1] : 0;
            if (L2Entry.isCompressed(word)) {
                compressed(i, word, bitmap);
            } else {
                uncompressed(i, word, bitmap);
            }
        }
    }

    private void compressed(int index, long entry, long bitmap) throws UnsupportedImageException {
        long word = entry;
        if (L2Entry.copied(word)) {
            long offset = L2Entry.compressedHostOffset(word, geometry.clusterBits());
            corruption("ERROR: coffset=0x" + Findings.hex(offset)
                    + ": copied flag must never be set for compressed clusters");
            word &= ~L2Entry.COPIED;
        }
        if (externalData) {
            corruption("ERROR compressed cluster " + index + " with data file, entry=0x" + Findings.hex(word));
            return;
        }
        if (bitmap != 0) {
            corruption("ERROR compressed cluster " + index + " with non-zero subcluster allocation bitmap, entry=0x"
                    + Findings.hex(word));
            return;
        }
        owners.count(
                L2Entry.compressedHostOffset(word, geometry.clusterBits()),
                L2Entry.compressedBytes(word, geometry.clusterBits()),
                references,
                0);
        stats.allocated += activeReferences;
        stats.compressed += activeReferences;
        stats.fragmented += activeReferences;
    }

    private void uncompressed(int index, long word, long bitmap) throws UnsupportedImageException {
        if ((word & L2Scan.RESERVED) != 0) {
            corruption("ERROR found l2 entry with reserved bits set: " + Findings.hex(word));
        }
        long offset = L2Entry.hostOffset(word);
        boolean plainZero = !geometry.extendedL2() && L2Entry.isZeroFlag(word) && offset == 0;
        if (plainZero) {
            return;
        }
        if (!L2Entry.isAllocated(word, externalData)) {
            if ((bitmap & Subclusters.ALL_ALLOCATED) != 0) {
                corruption("ERROR: Unallocated cluster has non-zero subcluster allocation map");
            }
            return;
        }
        allocated(index, word, offset, bitmap);
    }

    private void allocated(int index, long word, long offset, long bitmap) throws UnsupportedImageException {
        if (Subclusters.invalid(bitmap) != 0) {
            corruption("ERROR offset=" + Findings.hex(offset)
                    + ": Allocated cluster has corrupted subcluster allocation bitmap");
        }
        if (geometry.offsetInCluster(offset) != 0) {
            boolean data =
                    geometry.extendedL2() ? (bitmap & Subclusters.ALL_ALLOCATED) != 0 : !L2Entry.isZeroFlag(word);
            String words = " offset=" + Findings.hex(offset) + (data ? ": Data" : ": Preallocated")
                    + " cluster is not properly aligned; L2 entry corrupted.";
            if (!data && repairs != null && repairs.noteZeros(table, index, bitmap)) {
                findings.note("Repairing" + words);
                return;
            }
            corruption("ERROR" + words);
        }
        stats.allocated += activeReferences;
        if (next != 0 && offset != next) {
            stats.fragmented += activeReferences;
        }
        next = offset + geometry.clusterBytes();
        if (!externalData) {
            owners.count(offset, geometry.clusterBytes(), references, 0);
        }
    }

    private void corruption(String line) {
        findings.corruptions(references, line);
    }
}
