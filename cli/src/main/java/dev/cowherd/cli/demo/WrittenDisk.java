package dev.cowherd.cli.demo;

import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.DiskQueue;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;

/**
 * What a disk holds after its writers were killed, each block judged: it must hold the last write that a flush covered or a later
 * one of the same queue, whole; a block that no flush covers may also hold what lies below it.
 *
 * @param flushed blocks that a flush covered
 * @param later blocks that hold a write after the last flush that is known
 * @param below blocks that read as the chain below
 */
record WrittenDisk(long flushed, long later, long below) {
    private static final int BLOCKS = DemoContent.CLUSTER_BYTES / WriteScript.BLOCK_BYTES;

    /**
     * Reads the whole disk and judges every byte.
     *
     * @throws IOException if one is not as it must be
     */
    static WrittenDisk verify(Path image, List<Long> durable) throws IOException {
        try (Disk disk = Disk.open(image, DiskOptions.defaults());
                DiskQueue queue = disk.openQueue();
                Arena arena = Arena.ofConfined()) {
            long clusters = disk.sizeBytes() >> DemoContent.CLUSTER_BITS;
            WriteScript script = new WriteScript(clusters);
            long[] last = lastWrites(script, clusters * BLOCKS, durable);
            MemorySegment bytes = arena.allocate(DemoContent.CLUSTER_BYTES, WriteScript.BLOCK_BYTES);
            MemorySegment chain = arena.allocate(DemoContent.CLUSTER_BYTES, WriteScript.BLOCK_BYTES);
            long[] counts = new long[3];
            for (long cluster = 0; cluster < clusters; cluster++) {
                queue.read(cluster << DemoContent.CLUSTER_BITS, bytes);
                DemoContent.fillExpected(chain, cluster);
                for (int i = 0; i < BLOCKS; i++) {
                    long block = cluster * BLOCKS + i;
                    counts[kindOf(script, bytes, chain, i, block, last[(int) block])]++;
                }
            }
            return new WrittenDisk(counts[0], counts[1], counts[2]);
        }
    }

    /** 0 for a block that holds exactly its last flushed write, 1 for a later one, 2 for what lies below. */
    private static int kindOf(
            WriteScript script, MemorySegment bytes, MemorySegment chain, int index, long block, long lastFlushed)
            throws IOException {
        long from = (long) index * WriteScript.BLOCK_BYTES;
        long number = script.numberIn(bytes, from, block);
        if (number > 0 && number >= lastFlushed) {
            return number == lastFlushed ? 0 : 1;
        }
        long end = from + WriteScript.BLOCK_BYTES;
        if (lastFlushed == 0 && MemorySegment.mismatch(bytes, from, end, chain, from, end) < 0) {
            return 2;
        }
        throw new IOException("block " + block + " holds "
                + (number < 0 ? "bytes that nobody wrote there" : "write " + number)
                + (lastFlushed == 0 ? "" : ", though write " + lastFlushed + " of its queue was flushed"));
    }

    private static long[] lastWrites(WriteScript script, long blocks, List<Long> durable) {
        long[] last = new long[(int) blocks];
        for (int queue = 0; queue < WriteScript.QUEUES; queue++) {
            for (long number = 1; number <= durable.get(queue); number++) {
                long first = script.firstBlock(queue, number);
                for (int i = 0; i < script.blocks(queue, number); i++) {
                    last[(int) first + i] = number;
                }
            }
        }
        return last;
    }
}
