package dev.cowherd.bench;

import dev.cowherd.bench.plot.Chart;
import dev.cowherd.bench.plot.Series;
import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.DiskQueue;
import dev.cowherd.storage.Storage;
import dev.cowherd.storage.filter.DelayStorage;
import dev.cowherd.storage.filter.Parker;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * What one lock around the whole engine would have cost: the same engine, its queues put behind one mutex or one read-write lock,
 * which no user can do and only this table does. Seven of ten requests read 4 KiB, three overwrite them, all over an image
 * whose clusters are allocated.
 */
public final class CoarseLock {
    private static final int BLOCK = 4096;
    private static final int[] QUEUES = {1, 2, 4, 8};
    private static final int OF_TEN_READ = 7;
    private static final long DELAY_NANOS = 100_000;

    private final Path image;
    private final double seconds;

    /**
     * Looks at an image.
     *
     * @param image all of its clusters are allocated; it is written to
     * @param seconds how long each figure is measured
     */
    public CoarseLock(Path image, double seconds) {
        this.image = image;
        this.seconds = seconds;
    }

    /** Where a request finds its lock. */
    private interface Guard {
        Lock forRead();

        Lock forWrite();
    }

    /** The mix, on one queue: behind its lock, or free. */
    private static final class MixedWorker implements RequestLoop.Worker {
        private final DiskQueue queue;
        private final @Nullable Guard guard;
        private long requests;

        MixedWorker(DiskQueue queue, @Nullable Guard guard) {
            this.queue = queue;
            this.guard = guard;
        }

        @Override
        public void perform(long offset, MemorySegment buffer) throws IOException {
            boolean read = requests++ % 10 < OF_TEN_READ;
            if (guard == null) {
                move(read, offset, buffer);
                return;
            }
            Lock lock = read ? guard.forRead() : guard.forWrite();
            lock.lock();
            try {
                move(read, offset, buffer);
            } finally {
                lock.unlock();
            }
        }

        private void move(boolean read, long offset, MemorySegment buffer) throws IOException {
            if (read) {
                queue.read(offset, buffer);
            } else {
                queue.write(offset, buffer);
            }
        }

        @Override
        public void close() throws IOException {
            queue.close();
        }
    }

    /**
     * Measures all and prints the table.
     *
     * @param out takes the table's lines
     * @return the table as charts, one a host
     * @throws IOException if a request fails
     */
    public List<Chart> print(Consumer<String> out) throws IOException {
        out.accept("");
        out.accept("Requests a second behind one coarse lock (4 KiB, 70 % random reads, 30 % overwrites):");
        out.accept("");
        out.accept("| host storage | the engine | 1 queue | 2 queues | 4 queues | 8 queues |");
        out.accept("|---|---|---|---|---|---|");
        return List.of(
                rows(out, "page cache", "page-cache", storage -> storage),
                rows(
                        out,
                        "100 µs an operation",
                        "100us",
                        storage -> new DelayStorage(storage, request -> DELAY_NANOS, Parker.REAL_TIME)));
    }

    private Chart rows(Consumer<String> out, String host, String name, UnaryOperator<Storage> filter)
            throws IOException {
        ReadWriteLock shared = new ReentrantReadWriteLock();
        ReentrantLock mutex = new ReentrantLock();
        return new Chart(
                "coarse-" + name,
                "One coarse lock, " + host,
                "queues",
                "requests/s",
                false,
                List.of(
                        row(out, host, "as it is", filter, null),
                        row(out, host, "behind a read-write lock", filter, guard(shared)),
                        row(out, host, "behind a mutex", filter, guard(mutex))));
    }

    private Series row(
            Consumer<String> out, String host, String engine, UnaryOperator<Storage> filter, @Nullable Guard guard)
            throws IOException {
        StringBuilder row = new StringBuilder("| " + host + " | " + engine + " |");
        RequestLoop loop = new RequestLoop(BLOCK, true, seconds);
        double[] rates = new double[QUEUES.length];
        for (int i = 0; i < QUEUES.length; i++) {
            DiskOptions options = WriteWorkloads.writable().withStorageFilter(filter);
            try (Disk disk = Disk.open(image, options)) {
                double rate =
                        loop.perSecond(QUEUES[i], disk.sizeBytes(), () -> new MixedWorker(disk.openQueue(), guard));
                row.append(String.format(Locale.ROOT, rate >= 10_000 ? " %.0fk |" : " %.1fk |", rate / 1000));
                rates[i] = rate;
            }
        }
        out.accept(row.toString());
        return Series.of(engine, QUEUES, rates);
    }

    private static Guard guard(Lock mutex) {
        return new Guard() {
            @Override
            public Lock forRead() {
                return mutex;
            }

            @Override
            public Lock forWrite() {
                return mutex;
            }
        };
    }

    private static Guard guard(ReadWriteLock shared) {
        return new Guard() {
            @Override
            public Lock forRead() {
                return shared.readLock();
            }

            @Override
            public Lock forWrite() {
                return shared.writeLock();
            }
        };
    }
}
