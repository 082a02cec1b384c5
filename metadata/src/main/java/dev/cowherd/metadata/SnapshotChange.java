package dev.cowherd.metadata;

import dev.cowherd.format.CorruptImageException;
import dev.cowherd.format.Geometry;
import dev.cowherd.format.Header;
import dev.cowherd.format.L1Entry;
import dev.cowherd.format.L2Entry;
import dev.cowherd.format.Snapshot;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Creates, applies and deletes internal snapshots (specification: Snapshots), each as one {@link StructureRewrite}.
 *
 * <p>A new snapshot takes the active tables over as they are, and the active state gets copies: their entries say "shared" in the same
 * instant in which the refcounts do, which no change in place could do. Applying gives the active state copies of the snapshot's
 * tables. Deleting gives it copies of those tables whose clusters are its own again.
 */
final class SnapshotChange {
    private final LayerHandles handles;
    private final Geometry geometry;
    private final Header header;
    private final StructureRewrite rewrite;
    private final int entryBytes;

    SnapshotChange(WritableImage image, LayerHandles handles) throws IOException {
        this.handles = handles;
        this.header = image.header();
        this.geometry = header.geometry();
        this.entryBytes = geometry.l2EntryBytes();
        this.rewrite = new StructureRewrite(image, handles);
    }

    /** Adds a snapshot of the active state to a list of them. */
    List<Snapshot> create(List<Snapshot> snapshots, Snapshot added) throws IOException {
        long[] active = l1(header.l1Offset(), header.l1Entries());
        for (long word : active) {
            countEntries(L1Entry.l2Offset(word), 1);
        }
        long[] copies = copyTables(active);
        List<Snapshot> now = new ArrayList<>(snapshots);
        now.add(added.withL1(header.l1Offset(), header.l1Entries()));
        commit(copies, snapshots, now, header.sizeBytes());
        return now;
    }

    /** Makes the active state what a snapshot holds. */
    void apply(List<Snapshot> snapshots, Snapshot wanted) throws IOException {
        int entries = wanted.requireL1(header, handles.file().sizeBytes());
        long[] theirs = l1(wanted.l1Offset(), entries);
        // First off, then on: in between a narrow refcount might not hold both.
        dropTables(l1(header.l1Offset(), header.l1Entries()));
        for (long word : theirs) {
            countEntries(L1Entry.l2Offset(word), 1);
        }
        long size = wanted.diskBytes(header);
        long needed = Math.max(entries, geometry.l1EntriesFor(size));
        long[] copies = copyTables(Arrays.copyOf(theirs, Math.toIntExact(needed)));
        dropClusters(header.l1Offset(), header.l1Entries());
        commit(copies, snapshots, snapshots, size);
    }

    /** Takes a snapshot away. */
    List<Snapshot> delete(List<Snapshot> snapshots, Snapshot unwanted) throws IOException {
        int entries = unwanted.requireL1(header, handles.file().sizeBytes());
        dropTables(l1(unwanted.l1Offset(), entries));
        dropClusters(unwanted.l1Offset(), entries);
        long[] active = l1(header.l1Offset(), header.l1Entries());
        long[] changed = new long[active.length];
        for (int i = 0; i < active.length; i++) {
            changed[i] = withTruth(active[i]);
        }
        dropClusters(header.l1Offset(), header.l1Entries());
        List<Snapshot> now = new ArrayList<>(snapshots);
        now.remove(unwanted);
        commit(changed, snapshots, now, header.sizeBytes());
        return now;
    }

    /** An L1 table; each of its words names a table of its own, so that what is made of them is no more than the file holds. */
    private long[] l1(long offset, int entries) throws IOException {
        long[] words = WritableImage.readWords(handles.file(), offset, entries);
        Set<Long> tables = new HashSet<>();
        for (int i = 0; i < entries; i++) {
            long table = L1Entry.l2Offset(words[i]);
            if (table != 0) {
                String complaint =
                        tables.add(table) ? rewrite.complaintAboutTable(table) : "another entry names it too";
                if (complaint != null) {
                    throw new CorruptImageException(
                                    "L1 table entry " + i,
                                    offset + (long) i * L1Entry.BYTES,
                                    "0x" + Long.toHexString(words[i]) + ": " + complaint)
                            .withPath(handles.file().name());
                }
            }
        }
        return words;
    }

    private byte[] table(long offset) throws IOException {
        return rewrite.read(offset, geometry.clusterBytes());
    }

    private void countEntries(long tableOffset, int difference) throws IOException {
        if (tableOffset == 0) {
            return;
        }
        ByteBuffer entries = ByteBuffer.wrap(table(tableOffset));
        for (int at = 0; at < entries.capacity(); at += entryBytes) {
            rewrite.addEntry(entries.getLong(at), difference);
        }
    }

    /** Takes off what an L1 table refers to: its tables and, once for each, what they refer to. */
    private void dropTables(long[] words) throws IOException {
        for (long word : words) {
            long offset = L1Entry.l2Offset(word);
            countEntries(offset, -1);
            if (offset != 0) {
                rewrite.add(offset >>> geometry.clusterBits(), -1);
            }
        }
    }

    private void dropClusters(long offset, int l1Entries) throws IOException {
        long count = geometry.clustersFor((long) l1Entries * L1Entry.BYTES);
        for (long i = 0; i < count; i++) {
            rewrite.add((offset >>> geometry.clusterBits()) + i, -1);
        }
    }

    /** Copies of tables for the active state, with flags that tell the truth. */
    private long[] copyTables(long[] words) throws IOException {
        long[] copies = new long[words.length];
        for (int i = 0; i < words.length; i++) {
            long offset = L1Entry.l2Offset(words[i]);
            if (offset != 0) {
                byte[] bytes = table(offset);
                tellTruth(bytes);
                copies[i] = L1Entry.of(rewrite.place(bytes), true);
            }
        }
        return copies;
    }

    /** The same table, or a copy if its flags are not the truth any more. */
    private long withTruth(long word) throws IOException {
        long offset = L1Entry.l2Offset(word);
        if (offset == 0) {
            return 0;
        }
        byte[] bytes = table(offset);
        long cluster = offset >>> geometry.clusterBits();
        if (tellTruth(bytes)) {
            rewrite.add(cluster, -1);
            return L1Entry.of(rewrite.place(bytes), true);
        }
        return L1Entry.of(offset, rewrite.get(cluster) == 1);
    }

    private boolean tellTruth(byte[] table) throws IOException {
        ByteBuffer entries = ByteBuffer.wrap(table);
        boolean changed = false;
        for (int at = 0; at < table.length; at += entryBytes) {
            long word = entries.getLong(at);
            if (!L2Entry.isCompressed(word) && L2Entry.isAllocated(word, false)) {
                boolean alone = rewrite.get(L2Entry.hostOffset(word) >>> geometry.clusterBits()) == 1;
                if (alone != L2Entry.copied(word)) {
                    entries.putLong(at, word ^ L2Entry.COPIED);
                    changed = true;
                }
            }
        }
        return changed;
    }

    private void commit(long[] l1, List<Snapshot> before, List<Snapshot> after, long sizeBytes) throws IOException {
        ByteBuffer words = ByteBuffer.allocate(Math.max(1, l1.length) * L1Entry.BYTES);
        words.asLongBuffer().put(l1);
        long l1Offset = rewrite.place(words.array());
        if (!before.isEmpty()) {
            long old = geometry.clustersFor(Snapshot.encodeTable(before).remaining());
            for (long i = 0; i < old; i++) {
                rewrite.add((header.snapshotsOffset() >>> geometry.clusterBits()) + i, -1);
            }
        }
        long tableOffset = 0;
        if (!after.isEmpty()) {
            ByteBuffer table = Snapshot.encodeTable(after);
            byte[] bytes = new byte[table.remaining()];
            table.get(bytes);
            tableOffset = rewrite.place(bytes);
        }
        long snapshotsOffset = tableOffset;
        rewrite.switchTo(now -> now.withL1(l1.length, l1Offset)
                .withSnapshots(after.size(), snapshotsOffset)
                .withSize(sizeBytes));
    }
}
