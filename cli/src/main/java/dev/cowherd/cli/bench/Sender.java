package dev.cowherd.cli.bench;

import java.io.IOException;
import java.util.function.BooleanSupplier;
import org.HdrHistogram.Histogram;

/** How one queue sends its requests. Used by the queue's thread. */
interface Sender extends AutoCloseable {
    /**
     * Sends requests, and waits for the last of them.
     *
     * @param pattern where they go
     * @param count how many at most
     * @param nanos for how long at most: none begins later
     * @param latency takes how long each took, in nanoseconds
     * @param stopping says whether to stop early
     * @return how many were sent
     * @throws IOException if one fails
     */
    long send(OffsetPattern pattern, long count, long nanos, Histogram latency, BooleanSupplier stopping)
            throws IOException;

    @Override
    void close() throws IOException;
}
