package dev.cowherd.check;

import dev.cowherd.format.Geometry;
import dev.cowherd.format.Header;
import dev.cowherd.format.L1Entry;
import dev.cowherd.format.L2Entry;
import java.io.IOException;
import java.util.BitSet;
import org.jspecify.annotations.Nullable;

/**
 * Says for each active L1 and L2 entry whether its COPIED flag is right: set exactly where the refcount in the file is one.
 * Runs only if the earlier stages saw a flag that may be wrong.
 */
final class CopiedAudit {
    private static final int CHUNK_WORDS = 8192;

    private final Header header;
    private final Geometry geometry;
    private final boolean externalData;
    private final long fileBytes;
    private final HostTables host;
    private final RefcountBlocks refcounts;
    private final OneBits ones;
    private final L2Tables tables;
    private final Findings findings;
    private final @Nullable EntryRepairs repairs;
    private final BitSet audited = new BitSet();
    private final long[] l2Words;

    /** An audit; with {@code repairs}, flags that can be corrected are noted there instead of being counted as corrupt. */
    CopiedAudit(
            Header header,
            long fileBytes,
            HostTables host,
            RefcountBlocks refcounts,
            L2Tables tables,
            Findings findings,
            @Nullable EntryRepairs repairs) {
        this.header = header;
        this.geometry = header.geometry();
        this.externalData = header.hasExternalDataFile();
        this.fileBytes = fileBytes;
        this.host = host;
        this.refcounts = refcounts;
        this.ones = new OneBits(geometry, refcounts, host);
        this.tables = tables;
        this.findings = findings;
        this.repairs = repairs;
        this.l2Words = new long[geometry.clusterBytes() / Long.BYTES];
    }

    void run() throws IOException {
        long there = Math.max(0, (fileBytes - header.l1Offset() + L1Entry.BYTES - 1) / L1Entry.BYTES);
        int entries = (int) Math.min(header.l1Entries(), there);
        for (int at = 0; at < entries; at += CHUNK_WORDS) {
            int count = Math.min(CHUNK_WORDS, entries - at);
            long[] words = new long[count];
            long offset = header.l1Offset() + (long) at * L1Entry.BYTES;
            host.words(offset, count, words);
            int corrected = 0;
            for (int i = 0; i < count; i++) {
                if (L1Entry.l2Offset(words[i]) != 0 && l1Entry(at + i, words[i])) {
                    words[i] ^= L2Entry.COPIED;
                    corrected++;
                }
            }
            if (corrected > 0 && repairs != null) {
                repairs.write(offset, words, corrected);
            }
        }
    }

    /** Audits an entry and its table; the answer is whether the entry's flag is to be turned over. */
    private boolean l1Entry(int index, long word) throws IOException {
        long offset = L1Entry.l2Offset(word);
        long cluster = offset >>> geometry.clusterBits();
        if (!refcounts.isReadable(refcounts.blockOffset(cluster))) {
            return false; // Already told as a refcount that cannot be read.
        }
        boolean turn = false;
        if (ones.isOne(cluster) != L1Entry.copied(word)) {
            String words = " OFLAG_COPIED L2 cluster: l1_index=" + index + " l1_entry=" + Findings.hex(word)
                    + " refcount=" + Long.toUnsignedString(ones.refcount(cluster));
            turn = repairs != null && repairs.isOwnedOnce(header.l1Offset() + (long) index * L1Entry.BYTES);
            tell(turn, 1, words);
        }
        if (offset < fileBytes) {
            int table = tables.indexOf(offset);
            if (!audited.get(table)) {
                audited.set(table);
                table(table, offset);
            }
        }
        return turn;
    }

    private void table(int table, long offset) throws IOException {
        host.words(offset, l2Words.length, l2Words);
        boolean mayTurn = repairs != null && repairs.ownsItsCluster(table);
        int stride = geometry.l2EntryBytes() / Long.BYTES;
        int corrected = 0;
        for (int i = 0; i < l2Words.length; i += stride) {
            if (l2Words[i] != 0 && isWrong(l2Words[i])) {
                tell(mayTurn, tables.activeReferences(table), words(l2Words[i]));
                l2Words[i] ^= L2Entry.COPIED;
                corrected++;
            }
        }
        if (corrected > 0 && mayTurn && repairs != null) {
            repairs.write(offset, l2Words, corrected);
        }
    }

    private void tell(boolean repaired, long references, String words) {
        if (repaired) {
            findings.note("Repairing".concat(words));
        } else {
            findings.corruptions(references, "ERROR".concat(words));
        }
    }

    private String words(long word) throws IOException {
        long cluster = L2Entry.hostOffset(word) >>> geometry.clusterBits();
        return " OFLAG_COPIED data cluster: l2_entry=" + Findings.hex(word) + " refcount="
                + (externalData ? "1" : Long.toUnsignedString(ones.refcount(cluster)));
    }

    /** Whether an entry's flag does not go with the refcount; one whose refcount cannot be read was told before. */
    private boolean isWrong(long word) throws IOException {
        if (L2Entry.isCompressed(word) || !L2Entry.isAllocated(word, externalData)) {
            return false;
        }
        if (!geometry.extendedL2() && L2Entry.isZeroFlag(word) && L2Entry.hostOffset(word) == 0) {
            return false;
        }
        long cluster = L2Entry.hostOffset(word) >>> geometry.clusterBits();
        if (!externalData && !refcounts.isReadable(refcounts.blockOffset(cluster))) {
            return false;
        }
        boolean one = externalData || ones.isOne(cluster);
        return one != L2Entry.copied(word);
    }
}
