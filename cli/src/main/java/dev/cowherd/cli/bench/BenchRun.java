package dev.cowherd.cli.bench;

import dev.cowherd.cli.parallel.QueueThreads;
import dev.cowherd.image.Disk;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.HdrHistogram.Histogram;

/**
 * Sends requests from a number of queues at once, each on its own thread, and measures every one.
 *
 * <p>The same loop runs before the measurement for the warm-up, so that what is measured is compiled code and warm caches; writes
 * of the warm-up are real writes. All queues start together.
 */
public final class BenchRun {
    static final long LONGEST_NANOS = 3_600_000_000_000L;
    private static final int DIGITS = 3;

    private final Disk disk;
    private final BenchSettings settings;
    private final QueueThreads threads = new QueueThreads();
    private final CountDownLatch startLine;
    private final List<QueueResult> results = new ArrayList<>();

    private record QueueResult(long requests, long startNanos, long endNanos, Histogram latency) {}

    /**
     * Prepares a run.
     *
     * @param disk what to read or write; at least one request large
     * @param settings how
     */
    public BenchRun(Disk disk, BenchSettings settings) {
        this.disk = disk;
        this.settings = settings;
        this.startLine = new CountDownLatch(settings.queues());
    }

    /**
     * Runs once.
     *
     * @return what was measured
     * @throws IOException if a request fails
     */
    public BenchResult run() throws IOException {
        threads.run(settings.queues(), this::runQueue);
        long base = results.getFirst().startNanos();
        long start = Long.MAX_VALUE;
        long end = Long.MIN_VALUE;
        long requests = 0;
        Histogram latency = histogram();
        for (QueueResult result : results) {
            start = Math.min(start, result.startNanos() - base);
            end = Math.max(end, result.endNanos() - base);
            requests += result.requests();
            latency.add(result.latency());
        }
        long bytes = Math.multiplyExact(requests, settings.bufferBytes());
        return new BenchResult(requests, bytes, Math.max(1, end - start), latency);
    }

    private void runQueue(int index) throws IOException {
        try (Sender sender = settings.depth() > 0 ? new InFlight(disk, settings) : new OneByOne(disk, settings)) {
            warmUp(index, sender);
            OffsetPattern pattern = pattern(index, index);
            Histogram latency = histogram();
            Duration runtime = settings.runtime();
            long count = runtime == null ? firstOf(index + 1) - firstOf(index) : Long.MAX_VALUE;
            long nanos = runtime == null ? Long.MAX_VALUE : runtime.toNanos();
            awaitOthers();
            long start = System.nanoTime();
            long sent = sender.send(pattern, count, nanos, latency, threads::stopping);
            long end = System.nanoTime();
            synchronized (results) {
                results.add(new QueueResult(sent, start, end, latency));
            }
        } finally {
            startLine.countDown(); // a queue that failed must not keep the others waiting
        }
    }

    private void warmUp(int index, Sender sender) throws IOException {
        long nanos = settings.warmup().toNanos();
        if (nanos > 0) {
            sender.send(pattern(index, -1L - index), Long.MAX_VALUE, nanos, histogram(), threads::stopping);
        }
    }

    private OffsetPattern pattern(int index, long seed) {
        return new OffsetPattern(settings, disk.sizeBytes(), firstOf(index), seed);
    }

    /** Each queue sends its own stretch of the whole run's requests, so that requests in steps stay sequential. */
    private long firstOf(int index) {
        if (settings.runtime() == null) {
            return Math.multiplyExact(settings.count(), index) / settings.queues();
        }
        long stepsOnDisk = disk.sizeBytes() / Math.max(1, settings.stepBytes());
        return stepsOnDisk / settings.queues() * index;
    }

    private void awaitOthers() throws InterruptedIOException {
        startLine.countDown();
        try {
            startLine.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            InterruptedIOException stopped = new InterruptedIOException("interrupted");
            stopped.initCause(e);
            throw stopped;
        }
    }

    static Histogram histogram() {
        return new Histogram(LONGEST_NANOS, DIGITS);
    }
}
