package dev.cowherd.check;

import dev.cowherd.format.CorruptImageException;
import dev.cowherd.format.Geometry;
import dev.cowherd.format.L1Entry;
import java.io.IOException;
import java.util.List;

/**
 * Walks the L1 tables, active and of snapshots: judges their entries, counts the L2 tables they refer to and collects them.
 *
 * <p>Snapshots' tables may share their place in the file, all 65536 of them in a hostile image. Therefore each word of the
 * file is looked at once, with the number of tables it belongs to, and the walk is bounded by the file's size.
 */
final class L1Walk {
    private static final int CHUNK_WORDS = 8192;

    private final Geometry geometry;
    private final long fileBytes;
    private final HostTables host;
    private final ClusterOwners owners;
    private final Findings findings;
    private final L2Tables tables;
    private final long[] words = new long[CHUNK_WORDS];
    private boolean copiedSuspect;
    private long misalignedTables;

    L1Walk(
            Geometry geometry,
            long fileBytes,
            HostTables host,
            ClusterOwners owners,
            Findings findings,
            L2Tables tables) {
        this.geometry = geometry;
        this.fileBytes = fileBytes;
        this.host = host;
        this.owners = owners;
        this.findings = findings;
        this.tables = tables;
    }

    /** Walks the active table. */
    void active(long offset, int entries) throws IOException {
        long bytes = (long) entries * L1Entry.BYTES;
        owners.count(offset, bytes, 1, 0);
        walk(offset, offset + Math.min(bytes, Math.max(0, fileBytes - offset)), 1, true);
    }

    /** Walks the tables of snapshots. */
    void inactive(List<ByteRange> snapshots) throws IOException {
        owners.countAll(snapshots);
        OverlapSweep sweep = new OverlapSweep();
        for (ByteRange table : snapshots) {
            if (table.bytes() > 0 && table.offset() >= 0 && table.offset() < fileBytes) {
                sweep.add(table.offset(), table.offset() + Math.min(table.bytes(), fileBytes - table.offset()));
            }
        }
        for (OverlapSweep.Piece piece : sweep.pieces()) {
            walk(piece.from(), piece.to(), piece.depth(), false);
        }
    }

    /** Whether an active entry needs the exact look at its COPIED flag. */
    boolean copiedSuspect() {
        return copiedSuspect;
    }

    private void walk(long from, long end, long weight, boolean active) throws IOException {
        for (long at = from; at < end; at += (long) CHUNK_WORDS * Long.BYTES) {
            int count = (int) Math.min(CHUNK_WORDS, (end - at + Long.BYTES - 1) / Long.BYTES);
            host.words(at, count, words);
            for (int i = 0; i < count; i++) {
                if (words[i] != 0) {
                    entry(words[i], weight, active);
                }
            }
        }
    }

    private void entry(long word, long weight, boolean active) throws IOException {
        if (L1Entry.reserved(word) != 0) {
            findings.corruptions(weight, "ERROR found L1 entry with reserved bits set: " + Findings.hex(word));
        }
        long offset = L1Entry.l2Offset(word);
        boolean aligned = geometry.offsetInCluster(offset) == 0;
        int flags = 0;
        if (active && aligned && offset < fileBytes && offset != 0) {
            flags = L1Entry.copied(word) ? ReferenceCounts.COPIED : ReferenceCounts.NOT_COPIED;
        } else {
            copiedSuspect |= active;
        }
        owners.count(offset, geometry.clusterBytes(), weight, flags);
        if (!aligned) {
            findings.corruptions(
                    weight,
                    "ERROR l2_offset=" + Findings.hex(offset) + ": Table is not cluster aligned; L1 entry corrupted");
        }
        if (offset >= fileBytes) {
            return; // Such a table reads as zeros, about which there is nothing to say.
        }
        int known = tables.size();
        if (active) {
            tables.addActive(offset);
        } else {
            tables.addInactive(offset, weight);
        }
        if (!aligned && tables.size() > known) {
            limitMisaligned(word);
        }
    }

    /** Misaligned tables overlap: only their number could make the work larger than the file. */
    private void limitMisaligned(long word) throws CorruptImageException {
        misalignedTables++;
        if (misalignedTables << geometry.clusterBits() > fileBytes + CheckLimits.MISALIGNED_TABLE_BYTES) {
            throw new CorruptImageException(
                    "L1 table",
                    -1,
                    "more than " + (misalignedTables - 1)
                            + " different L2 tables off cluster boundaries; the last is in entry 0x"
                            + Findings.hex(word));
        }
    }
}
