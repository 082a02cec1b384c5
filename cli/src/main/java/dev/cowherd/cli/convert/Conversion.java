package dev.cowherd.cli.convert;

import dev.cowherd.cli.disk.SectorDisk;
import dev.cowherd.cli.disk.SectorReader;
import dev.cowherd.cli.parallel.Progress;
import dev.cowherd.cli.parallel.QueueThreads;
import dev.cowherd.cli.parallel.Ranges;
import dev.cowherd.image.BlockStatus;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Copies a disk into a target: each thread takes the next range of the disk, skips what the map calls zeros, and copies the
 * rest by its own queue and its own handle on the target.
 *
 * <p>Run it once. {@link #cancel()} may come from any thread.
 */
public final class Conversion {
    /** One read and its writes; small enough to be written while it is still in the processor's cache. */
    private static final int BUFFER_BYTES = 512 << 10;

    private static final int BUFFER_ALIGNMENT = 4096;
    private static final int LARGEST_SPARSE_BYTES = 16 << 20;

    /**
     * How to copy.
     *
     * @param sparseBytes the shortest run of zeros to leave out, a multiple of 512 up to 16 MiB; 0 writes everything
     * @param queues how many threads, 1 or more
     * @param bytesPerSecond the rate to stay below; 0 for none
     */
    public record Options(int sparseBytes, int queues, long bytesPerSecond) {
        /** Checks the ranges. */
        public Options {
            if (sparseBytes < 0 || sparseBytes > LARGEST_SPARSE_BYTES || sparseBytes % 512 != 0 || queues < 1) {
                throw new IllegalArgumentException("sparse size " + sparseBytes + ", queues " + queues);
            }
        }
    }

    private final SectorDisk source;
    private final ConvertTarget target;
    private final Options options;
    private final Progress progress;
    private final QueueThreads threads = new QueueThreads();
    private final Pacer pacer;
    private final Ranges ranges;

    /**
     * Prepares a copy.
     *
     * @param source what to read
     * @param target where to write; at least as large
     * @param options how
     * @param progress told of every byte that is done with
     */
    public Conversion(SectorDisk source, ConvertTarget target, Options options, Progress progress) {
        this.source = source;
        this.target = target;
        this.options = options;
        this.progress = progress;
        this.pacer = new Pacer(options.bytesPerSecond());
        this.ranges = new Ranges(source.sizeBytes(), options.queues());
    }

    /**
     * Copies everything; returns when the last thread has ended.
     *
     * @throws java.io.InterruptedIOException if the copy was cancelled
     * @throws IOException the first failure of any thread
     */
    public void run() throws IOException {
        threads.run(options.queues(), index -> copyRanges());
    }

    /** Ends the copy early; {@link #run()} then throws. */
    public void cancel() {
        threads.cancel();
    }

    private void copyRanges() throws IOException {
        try (Arena arena = Arena.ofConfined();
                SectorReader reader = source.openReader();
                ConvertTarget.Handle output = target.openHandle()) {
            Copier copier = new Copier(arena, reader, output);
            for (long start = ranges.take(); start >= 0 && !threads.stopping(); start = ranges.take()) {
                copier.copyRange(start, ranges.end(start));
            }
        }
    }

    /** One thread's hands: its reader, its handle on the target, its buffer. */
    private final class Copier implements SparseScan.Runs {
        private final SectorReader reader;
        private final ConvertTarget.Handle output;
        private final MemorySegment buffer;
        private final MemorySegment zeros;
        private final SparseScan scan;
        /** Where on the disk the buffer's first byte lies. */
        private long bufferOffset;

        Copier(Arena arena, SectorReader reader, ConvertTarget.Handle output) {
            this.reader = reader;
            this.output = output;
            int bufferBytes =
                    Math.max(Math.max(BUFFER_BYTES, target.pieceBytes()), Integer.highestOneBit(options.sparseBytes()));
            this.buffer = arena.allocate(bufferBytes, BUFFER_ALIGNMENT);
            this.zeros = arena.allocate(bufferBytes, BUFFER_ALIGNMENT);
            this.scan = new SparseScan(options.sparseBytes(), zeros);
        }

        void copyRange(long start, long end) throws IOException {
            long at = start;
            while (at < end && !threads.stopping()) {
                BlockStatus status = reader.status(at, end - at);
                long extentEnd = at + status.length();
                if (isBelow(status)) {
                    progress.add(status.length());
                } else if (status.zero()) {
                    clear(at, extentEnd);
                    progress.add(status.length());
                } else {
                    copyExtent(at, extentEnd);
                }
                at = extentEnd;
            }
        }

        /** Whether the target's backing file already shows these bytes; the user says that it is what the source stands on. */
        private boolean isBelow(BlockStatus status) {
            long below = target.belowBytes();
            return below > 0
                    && (status.depth() > 0 || !status.present() || (status.zero() && status.offset() >= below));
        }

        private void copyExtent(long start, long end) throws IOException {
            long at = start;
            while (at < end && !threads.stopping()) {
                // Buffers end at multiples of their size, so that no block of zeros is cut in two.
                long length = Math.min(end - at, buffer.byteSize() - at % buffer.byteSize());
                pacer.await(length);
                bufferOffset = at;
                reader.read(at, buffer.asSlice(0, length));
                scan.forEachRun(buffer, length, at, this);
                progress.add(length);
                at += length;
            }
        }

        @Override
        public void data(long from, long to) throws IOException {
            output.write(bufferOffset + from, buffer.asSlice(from, to - from));
        }

        @Override
        public void zeros(long from, long to) throws IOException {
            clear(bufferOffset + from, bufferOffset + to);
        }

        /** Makes a run of the target read as zeros; where that must be written, in pieces of the zeros at hand. */
        private void clear(long from, long to) throws IOException {
            boolean fully = options.sparseBytes() == 0;
            if (!fully && (target.readsAsZeros() || output.zero(from, to - from))) {
                return;
            }
            for (long at = from; at < to && !threads.stopping(); ) {
                long length = Math.min(to - at, zeros.byteSize());
                pacer.await(length);
                output.write(at, zeros.asSlice(0, length));
                at += length;
            }
        }
    }
}
