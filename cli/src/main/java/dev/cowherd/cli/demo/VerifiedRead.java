package dev.cowherd.cli.demo;

import dev.cowherd.cli.parallel.QueueThreads;
import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskQueue;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Reads the demonstration's disk by several queues for a while, again and again from start to end, and compares every byte with
 * what it must be.
 */
final class VerifiedRead {
    private static final int REQUEST_CLUSTERS = 4;
    private static final double NANOS_PER_SECOND = 1e9;
    private static final double MEBIBYTE = 1 << 20;

    /**
     * What was read.
     *
     * @param queues by how many queues
     * @param bytes how many bytes, each one verified
     * @param nanos how long it took, with the verification
     */
    record Result(int queues, long bytes, long nanos) {
        double mebibytesPerSecond() {
            return bytes / MEBIBYTE / (nanos / NANOS_PER_SECOND);
        }
    }

    private final Disk disk;
    private final long leastNanos;
    private final QueueThreads threads = new QueueThreads();
    private final AtomicLong nextRequest = new AtomicLong();
    private final AtomicLong verifiedBytes = new AtomicLong();

    private VerifiedRead(Disk disk, Duration atLeast) {
        this.disk = disk;
        this.leastNanos = atLeast.toNanos();
    }

    /**
     * Reads the whole disk at least once, and on until the time is over.
     *
     * @throws IOException if a read fails, or a byte is wrong
     */
    static Result run(Disk disk, int queues, Duration atLeast) throws IOException {
        VerifiedRead read = new VerifiedRead(disk, atLeast);
        long start = System.nanoTime();
        read.threads.run(queues, index -> read.readUntil(start));
        return new Result(queues, read.verifiedBytes.get(), System.nanoTime() - start);
    }

    private void readUntil(long start) throws IOException {
        long clusters = disk.sizeBytes() >> DemoContent.CLUSTER_BITS;
        long requests = (clusters + REQUEST_CLUSTERS - 1) / REQUEST_CLUSTERS;
        try (Arena arena = Arena.ofConfined();
                DiskQueue queue = disk.openQueue()) {
            MemorySegment buffer = arena.allocate((long) REQUEST_CLUSTERS << DemoContent.CLUSTER_BITS, 4096);
            for (long next = nextRequest.getAndIncrement();
                    !threads.stopping() && (next < requests || System.nanoTime() - start < leastNanos);
                    next = nextRequest.getAndIncrement()) {
                long first = next % requests * REQUEST_CLUSTERS;
                long count = Math.min(REQUEST_CLUSTERS, clusters - first);
                MemorySegment bytes = buffer.asSlice(0, count << DemoContent.CLUSTER_BITS);
                queue.read(first << DemoContent.CLUSTER_BITS, bytes);
                verify(bytes, first, count);
                verifiedBytes.addAndGet(bytes.byteSize());
            }
        }
    }

    /** Compares whole clusters with what they must be. */
    static void verify(MemorySegment bytes, long firstCluster, long count) throws IOException {
        for (long i = 0; i < count; i++) {
            int wrong = DemoContent.firstWrong(bytes, i << DemoContent.CLUSTER_BITS, firstCluster + i);
            if (wrong >= 0) {
                long offset = ((firstCluster + i) << DemoContent.CLUSTER_BITS) + wrong;
                throw new IOException(
                        "wrong bytes at guest offset " + offset + " (" + DemoContent.kindOf(firstCluster + i) + ")");
            }
        }
    }
}
