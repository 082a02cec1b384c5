package dev.cowherd.cli.demo;

import dev.cowherd.cli.parallel.QueueThreads;
import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.DiskQueue;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicLongArray;

/**
 * The process that is killed: four queues write by the script, read back what they wrote and flush, until the end comes. After each
 * flush one line on standard output says how many writes of each queue it covered: those that had ended before it began.
 */
public final class WriterChild {
    private static final int WRITES_BETWEEN_FLUSHES = 64;
    private static final int WRITES_BETWEEN_READS = 4;

    private final Disk disk;
    private final WriteScript script;
    private final QueueThreads threads = new QueueThreads();
    private final AtomicLongArray completed = new AtomicLongArray(WriteScript.QUEUES);
    private final AtomicLong flushes = new AtomicLong();
    private final AtomicLong verified = new AtomicLong();

    private WriterChild(Disk disk) {
        this.disk = disk;
        this.script = new WriteScript(disk.sizeBytes() >> DemoContent.CLUSTER_BITS);
    }

    /**
     * Writes until it is killed.
     *
     * @param args the image
     * @throws IOException if a write fails, or a byte read back is wrong
     */
    public static void main(String[] args) throws IOException {
        try (Disk disk = Disk.open(Path.of(args[0]), DiskOptions.defaults().withWritable(true))) {
            WriterChild child = new WriterChild(disk);
            child.threads.run(WriteScript.QUEUES, child::write);
        }
    }

    private void write(int index) throws IOException {
        try (Arena arena = Arena.ofConfined();
                DiskQueue queue = disk.openQueue()) {
            MemorySegment buffer = arena.allocate(DemoContent.CLUSTER_BYTES, WriteScript.BLOCK_BYTES);
            // Ends when nobody reads the lines any more, should the demonstration itself be killed.
            for (long number = 1; !threads.stopping() && !System.out.checkError(); number++) {
                long offset = script.firstBlock(index, number) * WriteScript.BLOCK_BYTES;
                MemorySegment bytes = buffer.asSlice(0, script.fill(buffer, index, number));
                queue.write(offset, bytes);
                completed.set(index, number);
                if (number % WRITES_BETWEEN_READS == 0) {
                    queue.read(offset, bytes);
                    verify(bytes, index, number);
                }
                if (number % WRITES_BETWEEN_FLUSHES == 0) {
                    flush(queue);
                }
            }
        }
    }

    private void verify(MemorySegment bytes, int index, long number) throws IOException {
        long first = script.firstBlock(index, number);
        for (int i = 0; i < script.blocks(index, number); i++) {
            if (script.numberIn(bytes, (long) i * WriteScript.BLOCK_BYTES, first + i) != number) {
                throw new IOException("block " + (first + i) + " does not read as queue " + index + " wrote it");
            }
        }
        verified.addAndGet(bytes.byteSize());
    }

    private void flush(DiskQueue queue) throws IOException {
        StringBuilder line = new StringBuilder("durable");
        for (int i = 0; i < WriteScript.QUEUES; i++) {
            line.append(' ').append(completed.get(i));
        }
        queue.flush();
        line.append(' ').append(flushes.incrementAndGet());
        line.append(' ').append(verified.get());
        System.out.println(line);
    }
}
