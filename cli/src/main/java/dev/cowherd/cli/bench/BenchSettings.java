package dev.cowherd.cli.bench;

import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * What to measure.
 *
 * @param write whether requests write instead of reading
 * @param pattern the byte that is written
 * @param flushInterval after how many of its requests each queue flushes; 0 for never
 * @param drainBeforeFlush whether a flush waits for what is in flight, and nothing begins before it has ended
 * @param queues how many threads, each with its own queue
 * @param depth how many requests each queue has in flight; 0 to perform them one after another by system calls
 * @param count how many requests in all; not looked at where a run time is given
 * @param runtime how long to send requests, or null to send {@code count} of them
 * @param warmup how long to send requests that are not counted first; zero for not at all
 * @param bufferBytes the size of each request
 * @param stepBytes how far each request starts behind the one before, unless they are random
 * @param offset where the first request starts, in bytes
 * @param random whether requests go to random multiples of their size
 */
public record BenchSettings(
        boolean write,
        int pattern,
        int flushInterval,
        boolean drainBeforeFlush,
        int queues,
        int depth,
        long count,
        @Nullable Duration runtime,
        Duration warmup,
        int bufferBytes,
        long stepBytes,
        long offset,
        boolean random) {}
