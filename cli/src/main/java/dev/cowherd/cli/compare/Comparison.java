package dev.cowherd.cli.compare;

import dev.cowherd.cli.compare.ComparedReader.FoundException;
import dev.cowherd.cli.parallel.Progress;
import dev.cowherd.cli.parallel.QueueThreads;
import dev.cowherd.cli.parallel.Ranges;
import dev.cowherd.image.BlockStatus;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * Looks for the first difference of two disks by several threads: ranges are taken in order, and a thread that finds
 * something stops only those that are behind it on the disk.
 *
 * <p>So the answer is the same as from start to end on one thread, which is how qemu-img goes.
 */
public final class Comparison {
    private static final int SECTOR_BYTES = 512;
    /** How far one question to the map reaches in strict mode: what one L2 table of 64 KiB clusters maps. */
    private static final long STATUS_BYTES = 512L << 20;

    private final ComparedDisk a;
    private final ComparedDisk b;
    private final boolean strict;
    private final int queues;
    private final Progress progress;
    private final MemorySegment zeros = Arena.ofAuto().allocate(ComparedReader.BUFFER_BYTES, 4096);
    private @Nullable Finding first;
    /** The offset of {@link #first}, or the largest number; what lies behind it need not be looked at. */
    private volatile long limit = Long.MAX_VALUE;

    /**
     * Prepares a comparison.
     *
     * @param a the first disk
     * @param b the second disk
     * @param strict whether what lies below the bytes must be the same as well
     * @param queues how many threads, 1 or more
     * @param progress told of every byte that is done with
     */
    public Comparison(ComparedDisk a, ComparedDisk b, boolean strict, int queues, Progress progress) {
        this.a = a;
        this.b = b;
        this.strict = strict;
        this.queues = queues;
        this.progress = progress;
    }

    /**
     * Compares what both disks have.
     *
     * @return the first difference or failure, or null if there is none
     * @throws IOException if a queue cannot be opened
     */
    public @Nullable Finding compareCommonPart() throws IOException {
        long common = Math.min(a.disk().sizeBytes(), b.disk().sizeBytes());
        Ranges ranges = new Ranges(common, queues);
        inParallel((arena, threads) -> {
            try (ComparedReader readerA = new ComparedReader(a, arena);
                    ComparedReader readerB = new ComparedReader(b, arena)) {
                Pair pair = new Pair(readerA, readerB);
                for (long start = ranges.take(); goesOn(start, threads); start = ranges.take()) {
                    search(pair, start, ranges.end(start));
                }
            }
        });
        return first();
    }

    /**
     * Looks at what the longer disk has behind the end of the shorter one: it must be zeros.
     *
     * @return the first difference or failure, or null if there is none
     * @throws IOException if a queue cannot be opened
     */
    public @Nullable Finding compareExcess() throws IOException {
        ComparedDisk longer = a.disk().sizeBytes() > b.disk().sizeBytes() ? a : b;
        long from = Math.min(a.disk().sizeBytes(), b.disk().sizeBytes());
        Ranges ranges = new Ranges(longer.disk().sizeBytes() - from, queues);
        inParallel((arena, threads) -> {
            try (ComparedReader reader = new ComparedReader(longer, arena)) {
                for (long start = ranges.take(); goesOn(start, threads); start = ranges.take()) {
                    searchExcess(reader, from + start, from + ranges.end(start));
                }
            }
        });
        return first();
    }

    private record Pair(ComparedReader a, ComparedReader b) {}

    @FunctionalInterface
    private interface Work {
        void run(Arena arena, QueueThreads threads) throws IOException;
    }

    private void inParallel(Work work) throws IOException {
        QueueThreads threads = new QueueThreads();
        threads.run(queues, index -> {
            try (Arena arena = Arena.ofConfined()) {
                work.run(arena, threads);
            }
        });
    }

    private boolean goesOn(long start, QueueThreads threads) {
        return start >= 0 && start < limit && !threads.stopping();
    }

    private void search(Pair pair, long start, long end) {
        try {
            for (long at = start; at < end && at < limit; ) {
                long length = compareExtent(pair, at, end);
                progress.add(length);
                at += length;
            }
        } catch (FoundException e) {
            offer(e.finding());
        }
    }

    /** Compares from an offset on, up to where either disk's extent ends, or a buffer's length. */
    private long compareExtent(Pair pair, long at, long end) throws FoundException {
        BlockStatus statusA = statusOf(pair.a, a, at, end);
        BlockStatus statusB = statusOf(pair.b, b, at, end);
        if (strict && !sameBelow(statusA, statusB)) {
            throw new FoundException(Finding.statusMismatch(at));
        }
        long length = Math.min(end - at, Math.min(statusA.length(), statusB.length()));
        if (statusA.zero() && statusB.zero()) {
            return length;
        }
        length = Math.min(length, ComparedReader.BUFFER_BYTES);
        MemorySegment bytesA = statusA.zero() ? zeros : pair.a.read(at, length);
        MemorySegment bytesB = statusB.zero() ? zeros : pair.b.read(at, length);
        requireSame(at, length, bytesA, bytesB);
        return length;
    }

    private BlockStatus statusOf(ComparedReader reader, ComparedDisk disk, long at, long end) throws FoundException {
        if (!strict) {
            return reader.status(at, end - at);
        }
        // Whether an extent reaches the disk's end is a part of its status for QEMU, so the range must not cut it.
        long reach = Math.min(disk.disk().sizeBytes(), at - at % STATUS_BYTES + STATUS_BYTES);
        return reader.status(at, reach - at);
    }

    private boolean sameBelow(BlockStatus x, BlockStatus y) {
        return x.present() == y.present()
                && x.zero() == y.zero()
                && x.data() == y.data()
                && x.compressed() == y.compressed()
                && (x.hostOffset() < 0) == (y.hostOffset() < 0)
                && reachesEnd(x, a) == reachesEnd(y, b);
    }

    private static boolean reachesEnd(BlockStatus status, ComparedDisk disk) {
        return status.offset() + status.length() == disk.disk().sizeBytes();
    }

    private void searchExcess(ComparedReader reader, long start, long end) {
        try {
            for (long at = start; at < end && at < limit; ) {
                BlockStatus status = reader.status(at, end - at);
                long length = status.length();
                if (status.present() && !status.zero()) {
                    length = Math.min(length, ComparedReader.BUFFER_BYTES);
                    requireSame(at, length, reader.read(at, length), zeros);
                }
                progress.add(length);
                at += length;
            }
        } catch (FoundException e) {
            offer(e.finding());
        }
    }

    private static void requireSame(long at, long length, MemorySegment x, MemorySegment y) throws FoundException {
        long mismatch = MemorySegment.mismatch(x, 0, length, y, 0, length);
        if (mismatch >= 0) {
            throw new FoundException(Finding.contentMismatch(at + mismatch - mismatch % SECTOR_BYTES));
        }
    }

    private synchronized void offer(Finding finding) {
        if (first == null || finding.offset() < first.offset()) {
            first = finding;
            limit = finding.offset();
        }
    }

    private synchronized @Nullable Finding first() {
        return first;
    }
}
