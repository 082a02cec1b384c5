package dev.cowherd.check;

import dev.cowherd.format.Geometry;
import java.io.IOException;
import java.util.Arrays;

/** The refcounts in the file, by way of its refcount table. Safe for any number of threads, each with its own reader. */
final class RefcountBlocks {
    /** The bits of a refcount table entry that locate a block. */
    static final long OFFSET_MASK = 0xffff_ffff_ffff_fe00L;

    private final Geometry geometry;
    private final long[] table;

    /**
     * Refcounts found through a table.
     *
     * @param table the entries of the refcount table that are in the file; all others are 0
     */
    RefcountBlocks(Geometry geometry, long[] table) {
        this.geometry = geometry;
        this.table = table;
    }

    int tableEntries() {
        return table.length;
    }

    long tableEntry(int index) {
        return table[index];
    }

    /** Where the block lies that covers a cluster; 0 for none, and then all its refcounts are 0. */
    long blockOffset(long cluster) {
        long index = cluster >>> geometry.refcountsPerBlockBits();
        return index < table.length ? table[(int) index] & OFFSET_MASK : 0;
    }

    /** Whether any of a run of clusters is covered by a block. */
    boolean haveBlock(long first, long count) {
        for (long cluster = first; cluster < first + count; cluster += leftInBlock(cluster)) {
            if (blockOffset(cluster) != 0) {
                return true;
            }
        }
        return false;
    }

    /** Clusters from here to the end of what the same block covers. */
    long leftInBlock(long cluster) {
        return geometry.refcountsPerBlock() - (cluster & (geometry.refcountsPerBlock() - 1));
    }

    /** Whether a block can be read at all: one that is not aligned, or lies past every file, cannot. */
    boolean isReadable(long blockOffset) {
        return blockOffset >= 0
                && geometry.offsetInCluster(blockOffset) == 0
                && blockOffset <= Long.MAX_VALUE - geometry.clusterBytes();
    }

    /**
     * Reads refcounts of clusters that one readable block covers, each as an unsigned number.
     *
     * @param first the first cluster
     * @param count how many, at most {@link #leftInBlock}
     * @param into filled from its front
     */
    void read(HostTables host, Buffers buffers, long first, int count, long[] into) throws IOException {
        long block = blockOffset(first);
        if (block == 0) {
            Arrays.fill(into, 0, count, 0);
            return;
        }
        long index = first & (geometry.refcountsPerBlock() - 1);
        int order = geometry.refcountOrder();
        switch (order) {
            case 6 -> host.words(block + (index << 3), count, into);
            case 5 -> {
                host.ints(block + (index << 2), count, buffers.ints);
                for (int i = 0; i < count; i++) {
                    into[i] = buffers.ints[i] & 0xffff_ffffL;
                }
            }
            case 4 -> {
                host.shorts(block + (index << 1), count, buffers.shorts);
                for (int i = 0; i < count; i++) {
                    into[i] = buffers.shorts[i] & 0xffff;
                }
            }
            case 3 -> {
                host.bytes(block + index, count, buffers.bytes);
                for (int i = 0; i < count; i++) {
                    into[i] = buffers.bytes[i] & 0xff;
                }
            }
            default -> readBits(host, buffers.bytes, block, index, count, into);
        }
    }

    /** Refcounts of 1, 2 or 4 bits: the first of a byte in its lowest bits. */
    private void readBits(HostTables host, byte[] bytes, long block, long index, int count, long[] into)
            throws IOException {
        int order = geometry.refcountOrder();
        int perByteBits = 3 - order;
        int perByte = 1 << perByteBits;
        int mask = (1 << geometry.refcountBits()) - 1;
        long firstByte = index >>> perByteBits;
        int skipped = (int) index & (perByte - 1);
        host.bytes(block + firstByte, (skipped + count + perByte - 1) >>> perByteBits, bytes);
        for (int i = 0; i < count; i++) {
            int at = skipped + i;
            int shift = (at & (perByte - 1)) << order;
            int shifted = bytes[at >>> perByteBits] >>> shift;
            into[i] = shifted & mask;
        }
    }

    /** Room for the refcounts of one region as they are in the file; one a thread. */
    static final class Buffers {
        private final int[] ints;
        private final short[] shorts;
        private final byte[] bytes;

        Buffers(Geometry geometry) {
            int order = geometry.refcountOrder();
            ints = new int[order == 5 ? ReferenceCounts.REGION_CLUSTERS : 0];
            shorts = new short[order == 4 ? ReferenceCounts.REGION_CLUSTERS : 0];
            bytes = new byte[order <= 3 ? ReferenceCounts.REGION_CLUSTERS + 1 : 0];
        }
    }
}
