package dev.cowherd.check;

import dev.cowherd.format.Geometry;
import dev.cowherd.format.Header;
import dev.cowherd.format.L1Entry;
import dev.cowherd.format.L2Entry;
import java.io.IOException;
import java.util.BitSet;

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
    private final BitSet audited = new BitSet();
    private final long[] l2Words;

    CopiedAudit(
            Header header,
            long fileBytes,
            HostTables host,
            RefcountBlocks refcounts,
            L2Tables tables,
            Findings findings) {
        this.header = header;
        this.geometry = header.geometry();
        this.externalData = header.hasExternalDataFile();
        this.fileBytes = fileBytes;
        this.host = host;
        this.refcounts = refcounts;
        this.ones = new OneBits(geometry, refcounts, host);
        this.tables = tables;
        this.findings = findings;
        this.l2Words = new long[geometry.clusterBytes() / Long.BYTES];
    }

    void run() throws IOException {
        long[] words = new long[CHUNK_WORDS];
        long there = Math.max(0, (fileBytes - header.l1Offset() + L1Entry.BYTES - 1) / L1Entry.BYTES);
        int entries = (int) Math.min(header.l1Entries(), there);
        for (int at = 0; at < entries; at += CHUNK_WORDS) {
            int count = Math.min(CHUNK_WORDS, entries - at);
            host.words(header.l1Offset() + (long) at * L1Entry.BYTES, count, words);
            for (int i = 0; i < count; i++) {
                if (L1Entry.l2Offset(words[i]) != 0) {
                    l1Entry(at + i, words[i]);
                }
            }
        }
    }

    private void l1Entry(int index, long word) throws IOException {
        long offset = L1Entry.l2Offset(word);
        long cluster = offset >>> geometry.clusterBits();
        if (!refcounts.isReadable(refcounts.blockOffset(cluster))) {
            return; // Already told as a refcount that cannot be read.
        }
        if (ones.isOne(cluster) != L1Entry.copied(word)) {
            findings.corruption("ERROR OFLAG_COPIED L2 cluster: l1_index=" + index + " l1_entry=" + Findings.hex(word)
                    + " refcount=" + Long.toUnsignedString(ones.refcount(cluster)));
        }
        if (offset >= fileBytes) {
            return;
        }
        int table = tables.indexOf(offset);
        if (audited.get(table)) {
            return;
        }
        audited.set(table);
        host.words(offset, l2Words.length, l2Words);
        int stride = geometry.l2EntryBytes() / Long.BYTES;
        for (int i = 0; i < l2Words.length; i += stride) {
            if (l2Words[i] != 0) {
                l2Entry(l2Words[i], tables.activeReferences(table));
            }
        }
    }

    private void l2Entry(long word, long references) throws IOException {
        if (L2Entry.isCompressed(word) || !L2Entry.isAllocated(word, externalData)) {
            return;
        }
        if (!geometry.extendedL2() && L2Entry.isZeroFlag(word) && L2Entry.hostOffset(word) == 0) {
            return;
        }
        long cluster = L2Entry.hostOffset(word) >>> geometry.clusterBits();
        if (!externalData && !refcounts.isReadable(refcounts.blockOffset(cluster))) {
            return;
        }
        boolean one = externalData || ones.isOne(cluster);
        if (one != L2Entry.copied(word)) {
            findings.corruptions(
                    references,
                    "ERROR OFLAG_COPIED data cluster: l2_entry=" + Findings.hex(word) + " refcount="
                            + (externalData ? "1" : Long.toUnsignedString(ones.refcount(cluster))));
        }
    }
}
