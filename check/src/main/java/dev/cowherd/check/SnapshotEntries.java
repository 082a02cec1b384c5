package dev.cowherd.check;

import dev.cowherd.format.CorruptImageException;
import dev.cowherd.format.Header;
import dev.cowherd.format.L1Entry;
import dev.cowherd.format.Limits;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** Reads the snapshot table as far as a check needs it: where each snapshot's L1 table lies, and where the table ends. */
final class SnapshotEntries {
    private static final String STRUCTURE = "snapshot table";
    /** The part of an entry that every entry has. */
    static final int FIXED_BYTES = 40;
    /** Extra data that every entry of a version 3 image has: the size of the VM state and of the disk. */
    static final int V3_EXTRA_BYTES = 16;

    /** What becomes of entries that lack extra data, or have too much of it. */
    enum Mending {
        /** They are faults. */
        NO,
        /** They are to be written anew, which is said. */
        TOLD,
        /** They are to be written anew, which was said before. */
        SILENT
    }

    private final Header header;
    private final long fileBytes;
    private final HostTables host;
    private final Findings findings;
    private final List<Entry> entries = new ArrayList<>();
    private Mending mending = Mending.NO;
    private long bytes;
    private boolean damaged;
    private int toMend;

    /** One snapshot: where its entry and its L1 table lie, and how much extra data it has. */
    record Entry(long position, long l1Offset, int l1Entries, long extraBytes) {}

    SnapshotEntries(Header header, long fileBytes, HostTables host, Findings findings) {
        this.header = header;
        this.fileBytes = fileBytes;
        this.host = host;
        this.findings = findings;
    }

    /** Reads the table; what lies past the file's end reads as zeros. */
    void read(Mending wanted) throws IOException {
        mending = wanted;
        long count = Integer.toUnsignedLong(header.snapshotCount());
        long start = header.snapshotsOffset();
        if (count > Limits.MAX_SNAPSHOTS) {
            throw new CorruptImageException(STRUCTURE, start, count + " snapshots; at most " + Limits.MAX_SNAPSHOTS);
        }
        if (start < 0
                || header.geometry().offsetInCluster(start) != 0
                || start > Long.MAX_VALUE - Limits.MAX_SNAPSHOT_TABLE_BYTES) {
            throw new CorruptImageException(STRUCTURE, start, "starts at no cluster boundary, or past every file");
        }
        byte[] fixed = new byte[FIXED_BYTES];
        long at = 0;
        for (int i = 0; i < count; i++) {
            at = (at + 7) & -8;
            host.bytes(start + at, FIXED_BYTES, fixed);
            ByteBuffer entry = ByteBuffer.wrap(fixed);
            long extra = Integer.toUnsignedLong(entry.getInt(36));
            Entry found = new Entry(start + at, entry.getLong(0), entry.getInt(8), extra);
            entries.add(found);
            toMend += hasTooMuch(found) || lacks(found) ? 1 : 0;
            if (mending == Mending.NO) {
                judge(i, found);
            }
            at += FIXED_BYTES
                    + extra
                    + Short.toUnsignedInt(entry.getShort(12))
                    + Short.toUnsignedInt(entry.getShort(14));
            if (at > Limits.MAX_SNAPSHOT_TABLE_BYTES) {
                throw new CorruptImageException(
                        STRUCTURE, start, "larger than " + Limits.MAX_SNAPSHOT_TABLE_BYTES + " bytes with entry " + i);
            }
        }
        bytes = at;
    }

    static boolean hasTooMuch(Entry entry) {
        return entry.extraBytes > Limits.MAX_SNAPSHOT_EXTRA_BYTES;
    }

    boolean lacks(Entry entry) {
        return header.version() >= 3 && entry.extraBytes < V3_EXTRA_BYTES;
    }

    private void judge(int index, Entry entry) throws CorruptImageException {
        if (hasTooMuch(entry) && mending == Mending.SILENT) {
            // Too late to refuse: this repair has written.
            damaged = true;
            findings.corruption("ERROR snapshot table entry " + index + " has too much extra metadata");
        } else if (hasTooMuch(entry)) {
            throw new CorruptImageException(
                    STRUCTURE,
                    entry.position,
                    "entry " + index + " has " + entry.extraBytes + " bytes of extra data; at most "
                            + Limits.MAX_SNAPSHOT_EXTRA_BYTES);
        }
        if (lacks(entry)) {
            damaged = true;
            findings.corruption("ERROR snapshot table entry " + index + " is incomplete");
        }
    }

    /**
     * Whether entries can be mended: a wrong length may be what broke the ones behind it, so only if nothing else is wrong with any. Says
     * what will be mended, or what is wrong.
     */
    private void settle() throws CorruptImageException {
        if (mending == Mending.NO || toMend == 0) {
            return;
        }
        // What lies past the file's end was read as zeros, but is nothing to go by.
        damaged |= bytes > fileBytes - header.snapshotsOffset();
        for (Entry entry : entries) {
            long tableBytes = Integer.toUnsignedLong(entry.l1Entries) * L1Entry.BYTES;
            damaged |= tableBytes > 0 && (entry.l1Offset <= 0 || tableBytes > fileBytes - entry.l1Offset);
        }
        for (int i = 0; damaged && i < entries.size(); i++) {
            judge(i, entries.get(i));
        }
        for (int i = 0; !damaged && mending == Mending.TOLD && i < entries.size(); i++) {
            if (hasTooMuch(entries.get(i))) {
                findings.note("Discarding too much extra metadata in snapshot table entry " + i + " ("
                        + entries.get(i).extraBytes + " > " + Limits.MAX_SNAPSHOT_EXTRA_BYTES + ")");
            }
        }
        for (int i = 0; !damaged && mending == Mending.TOLD && i < entries.size(); i++) {
            if (lacks(entries.get(i))) {
                findings.note("Repairing snapshot table entry " + i + " is incomplete");
            }
        }
    }

    /** How many entries are to be written anew; complete after {@link #walkableL1Tables}. */
    int toMend() {
        return mending == Mending.NO || damaged ? 0 : toMend;
    }

    List<Entry> entries() {
        return entries;
    }

    int size() {
        return entries.size();
    }

    /** Whether an entry is broken, so that what some snapshot owns is not known; complete after {@link #walkableL1Tables}. */
    boolean damaged() {
        return damaged;
    }

    /** How long the table is, in bytes. */
    long bytes() {
        return bytes;
    }

    /** The L1 tables that can be walked; each other is a corruption. */
    List<ByteRange> walkableL1Tables() throws IOException {
        List<ByteRange> walkable = new ArrayList<>();
        for (Entry entry : entries) {
            if (header.geometry().offsetInCluster(entry.l1Offset()) != 0) {
                damaged = true;
                findings.corruption("ERROR snapshot " + label(entry) + " l1_offset=0x" + Findings.hex(entry.l1Offset())
                        + ": L1 table is not cluster aligned; snapshot table entry corrupted");
            } else if (Integer.toUnsignedLong(entry.l1Entries()) > Limits.MAX_L1_BYTES / L1Entry.BYTES) {
                damaged = true;
                findings.corruption("ERROR snapshot " + label(entry) + " l1_size=0x"
                        + Integer.toHexString(entry.l1Entries())
                        + ": L1 table is too large; snapshot table entry corrupted");
            } else {
                walkable.add(new ByteRange(entry.l1Offset(), (long) entry.l1Entries() * L1Entry.BYTES));
            }
        }
        settle();
        return walkable;
    }

    /** A snapshot's id and name, read again from its entry: they are only wanted for messages. */
    private String label(Entry entry) throws IOException {
        byte[] fixed = new byte[FIXED_BYTES];
        host.bytes(entry.position(), FIXED_BYTES, fixed);
        ByteBuffer numbers = ByteBuffer.wrap(fixed);
        int idBytes = Short.toUnsignedInt(numbers.getShort(12));
        byte[] texts = new byte[idBytes + Short.toUnsignedInt(numbers.getShort(14))];
        host.bytes(entry.position() + FIXED_BYTES + numbers.getInt(36), texts.length, texts);
        return text(texts, 0, idBytes) + " (" + text(texts, idBytes, texts.length) + ")";
    }

    /** A text up to its first NUL, fit for a terminal. */
    private static String text(byte[] bytes, int from, int end) {
        int stop = from;
        while (stop < end && bytes[stop] != 0) {
            stop++;
        }
        StringBuilder text = new StringBuilder(new String(bytes, from, stop - from, StandardCharsets.UTF_8));
        for (int i = 0; i < text.length(); i++) {
            if (Character.isISOControl(text.charAt(i))) {
                text.setCharAt(i, '?');
            }
        }
        return text.toString();
    }
}
