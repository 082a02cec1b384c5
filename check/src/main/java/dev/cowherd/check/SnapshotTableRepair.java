package dev.cowherd.check;

import dev.cowherd.check.SnapshotEntries.Entry;
import dev.cowherd.format.Geometry;
import dev.cowherd.storage.Storage;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;

/**
 * Writes a snapshot table anew in which entries lack the extra data that version 3 demands, or have more than anybody reads: into free
 * clusters that are counted first, so that one write of the header changes from one table to the other and a cut leaves a leak at worst.
 * Comes after the refcounts have been repaired.
 */
final class SnapshotTableRepair {
    private static final int EXTRA_LENGTH_AT = 36;
    private static final int VM_STATE_AT = 32;
    private static final int ID_LENGTH_AT = 12;
    /** The extra data that QEMU knows: size of the VM state, size of the disk, instruction count. */
    private static final int KNOWN_EXTRA_BYTES = 24;

    private final Inspection inspection;
    private final Geometry geometry;
    private final Storage storage;
    private final HostTables host;
    private final Findings findings;
    private final RepairWriter writer;

    SnapshotTableRepair(
            Inspection inspection, Storage storage, HostTables host, Findings findings, RepairWriter writer) {
        this.inspection = inspection;
        this.geometry = inspection.header().geometry();
        this.storage = storage;
        this.host = host;
        this.findings = findings;
        this.writer = writer;
    }

    void run() throws IOException {
        SnapshotEntries snapshots = inspection.snapshots();
        long bytes = 0;
        for (Entry entry : snapshots.entries()) {
            bytes = padded(bytes) + mended(entry).length;
        }
        long count = geometry.clustersFor(bytes);
        long first = findings.corruptions() == 0 && findings.checkErrors() == 0 ? freeRun(count) : -1;
        if (first < 0) {
            findings.corruptions(
                    snapshots.toMend(), "ERROR failed to update snapshot table: no clusters are surely free for it");
            return;
        }
        long offset = first << geometry.clusterBits();
        try (RefcountEdits edits = new RefcountEdits(geometry, inspection.refcounts(), storage, writer)) {
            for (long cluster = first; cluster < first + count; cluster++) {
                edits.set(cluster, 1);
            }
            edits.flush();
            write(offset, count << geometry.clusterBits());
            writer.sync();
            writer.switchSnapshotTable(snapshots.size(), offset);
            giveBackOldTable(edits);
            edits.flush();
            writer.sync();
        }
        findings.fixedCorruptions(snapshots.toMend());
    }

    private static long padded(long bytes) {
        return bytes + 7 & -8;
    }

    /** An entry as it is to be, without the padding behind it. */
    private byte[] mended(Entry entry) throws IOException {
        byte[] fixed = new byte[SnapshotEntries.FIXED_BYTES];
        host.bytes(entry.position(), fixed.length, fixed);
        ByteBuffer numbers = ByteBuffer.wrap(fixed);
        byte[] extra = extra(entry, Integer.toUnsignedLong(numbers.getInt(VM_STATE_AT)));
        numbers.putInt(EXTRA_LENGTH_AT, extra.length);
        byte[] labels = new byte
                [Short.toUnsignedInt(numbers.getShort(ID_LENGTH_AT))
                        + Short.toUnsignedInt(numbers.getShort(ID_LENGTH_AT + Short.BYTES))];
        host.bytes(entry.position() + fixed.length + entry.extraBytes(), labels.length, labels);
        return ByteBuffer.allocate(fixed.length + extra.length + labels.length)
                .put(fixed)
                .put(extra)
                .put(labels)
                .array();
    }

    private byte[] extra(Entry entry, long vmStateBytes) throws IOException {
        boolean tooMuch = SnapshotEntries.hasTooMuch(entry);
        byte[] there = new byte[tooMuch ? KNOWN_EXTRA_BYTES : (int) entry.extraBytes()];
        host.bytes(entry.position() + SnapshotEntries.FIXED_BYTES, there.length, there);
        if (tooMuch || !inspection.snapshots().lacks(entry)) {
            return there;
        }
        ByteBuffer known = ByteBuffer.allocate(KNOWN_EXTRA_BYTES);
        known.putLong(there.length >= Long.BYTES ? ByteBuffer.wrap(there).getLong() : vmStateBytes);
        known.putLong(inspection.header().guestBytes());
        return known.putLong(-1).array();
    }

    private void write(long offset, long bytes) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment table = arena.allocate(bytes, 4096);
            long at = 0;
            for (Entry entry : inspection.snapshots().entries()) {
                byte[] one = mended(entry);
                at = padded(at);
                MemorySegment.copy(MemorySegment.ofArray(one), 0, table, at, one.length);
                at += one.length;
            }
            writer.write(offset, table);
        }
    }

    /** Clusters side by side that nothing refers to and that refcount blocks cover; -1 if there are none. */
    private long freeRun(long count) {
        RefcountBlocks refcounts = inspection.refcounts();
        long end = Math.min(
                inspection.counts().clusters(), (long) refcounts.tableEntries() << geometry.refcountsPerBlockBits());
        long run = 0;
        for (long cluster = 0; cluster < end; cluster++) {
            long block = refcounts.blockOffset(cluster);
            boolean free = block != 0
                    && refcounts.isReadable(block)
                    && inspection.counts().get(cluster) == 0
                    && !inspection.owners().isNamedBeyond(cluster);
            run = free ? run + 1 : 0;
            if (run == count) {
                return cluster - count + 1;
            }
        }
        return -1;
    }

    /** What the old table had to itself is free now. */
    private void giveBackOldTable(RefcountEdits edits) throws IOException {
        long first = inspection.header().snapshotsOffset() >>> geometry.clusterBits();
        long count = geometry.clustersFor(inspection.snapshots().bytes());
        for (long cluster = first; cluster < first + count; cluster++) {
            if (inspection.refcounts().blockOffset(cluster) != 0
                    && inspection.counts().get(cluster) == 1) {
                edits.set(cluster, 0);
            }
        }
    }
}
