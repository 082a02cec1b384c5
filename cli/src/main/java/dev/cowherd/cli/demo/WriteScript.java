package dev.cowherd.cli.demo;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * What each queue of the demonstration writes: its n-th write goes where and holds what, a function of the two numbers alone, so
 * that one process writes and another knows what must be there.
 *
 * <p>Each cluster is shared by all queues, a quarter each: they allocate the same clusters at the same time.
 */
final class WriteScript {
    static final int QUEUES = 4;
    static final int BLOCK_BYTES = 4096;
    /** A queue's part of a cluster; the longest write. */
    static final int STRIPE_BLOCKS = DemoContent.CLUSTER_BYTES / BLOCK_BYTES / QUEUES;

    private static final ValueLayout.OfLong WORD = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final int WORDS = BLOCK_BYTES / Long.BYTES;

    private final long clusters;

    /** The script for a disk of so many clusters. */
    WriteScript(long clusters) {
        this.clusters = clusters;
    }

    /** The first block that a write goes to. */
    long firstBlock(int queue, long number) {
        long cluster = Long.remainderUnsigned(chance(queue, number), clusters);
        return (cluster * QUEUES + queue) * STRIPE_BLOCKS;
    }

    /** How many blocks it writes. */
    int blocks(int queue, long number) {
        return 1 + (int) (chance(queue, number) >>> 62);
    }

    /** The queue that writes a block. */
    static int queueOf(long block) {
        return (int) (block / STRIPE_BLOCKS % QUEUES);
    }

    /** Whether a write goes to a block. */
    boolean covers(int queue, long number, long block) {
        long first = firstBlock(queue, number);
        return block >= first && block < first + blocks(queue, number);
    }

    /** Fills memory with what a write holds; answers with how many bytes. */
    int fill(MemorySegment destination, int queue, long number) {
        long first = firstBlock(queue, number);
        int blocks = blocks(queue, number);
        for (int i = 0; i < blocks; i++) {
            long from = (long) i * BLOCK_BYTES;
            destination.set(WORD, from, number);
            for (int word = 1; word < WORDS; word++) {
                destination.set(WORD, from + (long) word * Long.BYTES, wordOf(first + i, number, word));
            }
        }
        return blocks * BLOCK_BYTES;
    }

    /**
     * Which write a block holds.
     *
     * @return the number of a write of its queue, every word of the block being that write's; -1 if it holds none
     */
    long numberIn(MemorySegment bytes, long from, long block) {
        long number = bytes.get(WORD, from);
        if (number <= 0 || !covers(queueOf(block), number, block)) {
            return -1;
        }
        for (int word = 1; word < WORDS; word++) {
            if (bytes.get(WORD, from + (long) word * Long.BYTES) != wordOf(block, number, word)) {
                return -1;
            }
        }
        return number;
    }

    private static long wordOf(long block, long number, int word) {
        return DemoContent.mixed((block << 40) + (number << 9) + word);
    }

    private static long chance(int queue, long number) {
        return DemoContent.mixed(DemoContent.mixed(number) + queue);
    }
}
