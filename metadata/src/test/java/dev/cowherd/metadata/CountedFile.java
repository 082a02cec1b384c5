package dev.cowherd.metadata;

import dev.cowherd.format.Geometry;
import dev.cowherd.format.Refcounts;
import dev.cowherd.metadata.MetadataPlaces.Kind;
import dev.cowherd.storage.MemoryStorage;
import dev.cowherd.storage.Storage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.LongConsumer;

/**
 * Refcount blocks made by hand in memory, and nothing else: host cluster 0 is the header, 1 the refcount table, from 2 on one block
 * after the other. No block is in memory of the allocator until it asks for it.
 */
final class CountedFile {
    private static final int CLUSTER_BITS = 9;
    private static final int REFCOUNT_ORDER = 6;

    /** So many clusters does a block count. */
    static final int BLOCK_CLUSTERS = 64;

    final Geometry geometry = new Geometry(CLUSTER_BITS, false, REFCOUNT_ORDER);
    final MemoryStorage file = new MemoryStorage("counted.qcow2");
    private final long[] table;
    private final long clusters;

    /** A file whose end is where the last block's reach ends; everything but the tables is free. */
    CountedFile(int blocks) throws IOException {
        this(blocks, (long) blocks * BLOCK_CLUSTERS);
    }

    /** A file that ends earlier, though blocks count what would lie past its end. */
    CountedFile(int blocks, long clusters) throws IOException {
        this.table = new long[blocks];
        this.clusters = clusters;
        for (int i = 0; i < blocks; i++) {
            table[i] = (2L + i) << CLUSTER_BITS;
        }
        file.truncate(clusters << CLUSTER_BITS);
        for (int cluster = 0; cluster < 2 + blocks; cluster++) {
            count(cluster, 1);
        }
    }

    /** Writes the refcount of a cluster. */
    CountedFile count(long cluster, long count) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment block = arena.allocate(geometry.clusterBytes());
            long offset = table[(int) (cluster / BLOCK_CLUSTERS)];
            file.read(offset, block);
            Refcounts.set(block, cluster % BLOCK_CLUSTERS, REFCOUNT_ORDER, count);
            file.write(offset, block);
        }
        return this;
    }

    CountedFile count(long first, long end, long count) throws IOException {
        for (long cluster = first; cluster < end; cluster++) {
            count(cluster, count);
        }
        return this;
    }

    /** An allocator that has read nothing yet. */
    Allocator allocator(Waits waits) {
        MetadataPlaces places = new MetadataPlaces(geometry.clusterBits(), file.name());
        places.add(0, Kind.HEADER);
        places.add(1, Kind.REFCOUNT_TABLE);
        places.add(2, table.length, Kind.REFCOUNT_BLOCK);
        return new Allocator(
                file.name(),
                geometry,
                waits,
                geometry::clusterBytes,
                new RefcountStore(geometry, table.clone()),
                places,
                clusters << CLUSTER_BITS);
    }

    /** The tables as they are now, without locks: for a checker that walks through every step. */
    Storage fixed(LongConsumer holeAt) {
        try {
            byte[] bytes = new byte[Math.toIntExact(file.sizeBytes())];
            MemorySegment read = Arena.ofAuto().allocate(bytes.length);
            file.read(0, read);
            MemorySegment.copy(read, 0, MemorySegment.ofArray(bytes), 0, bytes.length);
            return new FixedTables(bytes, holeAt);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** For tests in which the table reaches as far as is needed. */
    static final Allocator.TableGrowth NO_GROWTH = cluster -> {
        throw new AssertionError("the refcount table ends before cluster " + cluster);
    };

    /** What an allocator thinks a cluster's refcount is. */
    static long count(Allocator allocator, long cluster, Storage file) throws IOException {
        long[] counts = new long[1];
        allocator.counts(new long[] {cluster}, 1, counts, file);
        return counts[0];
    }
}
