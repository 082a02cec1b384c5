package dev.cowherd.image;

import dev.cowherd.format.Geometry;
import dev.cowherd.format.Header;
import dev.cowherd.format.L1Entry;
import dev.cowherd.format.RefcountTableEntry;
import dev.cowherd.format.Refcounts;
import dev.cowherd.format.Subclusters;
import dev.cowherd.storage.Storage;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;

/** Writes a planned image into a storage, piece by piece and the header last. For one thread. */
final class FreshImage implements AutoCloseable {
    private final Storage target;
    private final FreshLayout layout;
    private final Geometry geometry;
    private final Preallocation preallocation;
    private final long subclusters;
    private final TableWriter writer;

    FreshImage(Storage target, FreshLayout layout, CreateOptions options) {
        this.target = target;
        this.layout = layout;
        this.geometry = layout.geometry();
        this.preallocation = options.preallocation();
        // Mapped, but not allocated: the space is there, and the guest reads the backing file or zeros. A raw data
        // file's
        // bytes are its own from the start, or a power cut could leave a first write in the file alone.
        this.subclusters = options.dataFileRaw() ? Subclusters.ALL_ALLOCATED : 0;
        this.writer = new TableWriter(target);
    }

    /** What a device holds must not pass for the new image's header while its tables are written. */
    void forgetOldHeader() throws IOException {
        if (target.sizeBytes() > 0) {
            writer.zeros(0, geometry.clusterBytes());
            target.sync();
        }
    }

    /** The refcount table and its blocks: 1 for every cluster. */
    void writeRefcounts() throws IOException {
        long wordsPerCluster = geometry.clusterBytes() / Long.BYTES;
        writer.goTo(layout.bytes(layout.refcountTableAt()));
        for (long block = 0; block < layout.blocks(); block++) {
            writer.word(RefcountTableEntry.of(layout.bytes(layout.firstBlockAt() + block)));
        }
        writer.words(0, layout.tableClusters() * wordsPerCluster - layout.blocks());
        int perWord = Long.SIZE / geometry.refcountBits();
        long fullWords = layout.clusters() / perWord;
        int rest = (int) (layout.clusters() % perWord);
        writer.words(countsOfOne(perWord), fullWords);
        writer.words(countsOfOne(rest), rest == 0 ? 0 : 1);
        writer.words(0, layout.blocks() * wordsPerCluster - fullWords - (rest == 0 ? 0 : 1));
        writer.writeOut();
    }

    /** A word of a refcount block whose first counts are 1. */
    private long countsOfOne(int count) {
        byte[] word = new byte[Long.BYTES];
        for (int i = 0; i < count; i++) {
            Refcounts.set(MemorySegment.ofArray(word), i, geometry.refcountOrder(), 1);
        }
        return ByteBuffer.wrap(word).getLong();
    }

    /** The L1 table, and the L2 tables if every cluster is mapped. */
    void writeMap() throws IOException {
        writer.goTo(layout.bytes(layout.l1At()));
        for (long entry = 0; entry < layout.l1Entries(); entry++) {
            writer.word(layout.l2Tables() == 0 ? 0 : L1Entry.of(layout.bytes(layout.l2At(entry)), true));
        }
        for (long table = 0; table < layout.l2Tables(); table++) {
            if (table == 0) {
                fillL1Cluster();
            }
            writer.goTo(layout.bytes(layout.l2At(table)));
            writeL2(table << geometry.l2EntryBits());
        }
        writer.writeOut();
    }

    private void fillL1Cluster() throws IOException {
        writer.words(0, layout.bytes(layout.l1Clusters()) / Long.BYTES - layout.l1Entries());
    }

    private void writeL2(long firstCluster) throws IOException {
        long end = firstCluster + geometry.l2EntriesPerTable();
        long mappedEnd = Math.min(end, layout.dataClusters());
        for (long cluster = firstCluster; cluster < mappedEnd; cluster++) {
            writer.word(layout.l2Entry(cluster));
            if (geometry.extendedL2()) {
                writer.word(subclusters);
            }
        }
        writer.words(0, (end - mappedEnd) * (geometry.l2EntryBytes() / Long.BYTES));
    }

    /** The guest's clusters in the image itself. */
    void provideData() throws IOException {
        long length = layout.bytes(layout.dataClusters());
        if (length == 0) {
            return;
        }
        long stale = target.sizeBytes() - layout.bytes(layout.dataAt(0));
        switch (preallocation) {
            case OFF -> throw new IllegalStateException("data without preallocation");
            case METADATA -> zeroStale();
            case FALLOC -> {
                if (stale > 0) {
                    target.zero(layout.bytes(layout.dataAt(0)), Math.min(stale, length));
                }
                target.allocate(layout.bytes(layout.dataAt(0)), length);
            }
            case FULL -> writer.zeros(layout.bytes(layout.dataAt(0)), length);
        }
        if (target.sizeBytes() < layout.endBytes()) {
            target.truncate(layout.endBytes());
        }
    }

    /** Clusters between tables: holes of a file, but on a device they hold what was there before. */
    private void zeroStale() throws IOException {
        if (target.sizeBytes() < layout.endBytes()) {
            return;
        }
        for (long table = 0; table < layout.l2Tables(); table++) {
            long first = table << geometry.l2EntryBits();
            long end = Math.min(first + geometry.l2EntriesPerTable(), layout.dataClusters());
            target.zero(layout.bytes(layout.dataAt(first)), layout.bytes(end - first));
        }
    }

    /** Makes everything durable, then the header, which makes an image of it. */
    void writeHeader(Header header) throws IOException {
        target.sync();
        ByteBuffer bytes = header.encode();
        writer.goTo(0);
        writer.bytes(ByteBuffer.allocate(geometry.clusterBytes()).put(bytes).rewind());
        writer.writeOut();
        target.sync();
    }

    @Override
    public void close() {
        writer.close();
    }
}
