package dev.cowherd.cli.bench;

import org.HdrHistogram.Histogram;

/**
 * What was measured.
 *
 * @param requests how many requests were answered while the clock ran
 * @param bytes how many bytes they read or wrote
 * @param nanos how long it took, from the first queue's start to the last queue's end
 * @param latencyNanos how long each request took
 */
public record BenchResult(long requests, long bytes, long nanos, Histogram latencyNanos) {
    private static final double NANOS_PER_SECOND = 1e9;
    private static final double NANOS_PER_MICRO = 1e3;

    /** The measured time. */
    public double seconds() {
        return nanos / NANOS_PER_SECOND;
    }

    /** Requests a second. */
    public double iops() {
        return requests / seconds();
    }

    /** Bytes a second. */
    public double bytesPerSecond() {
        return bytes / seconds();
    }

    /**
     * How long the slower requests took.
     *
     * @param percentile such as 99.9: that many percent of all requests took no longer
     * @return microseconds, in steps of a thousandth of the value
     */
    public double latencyMicros(double percentile) {
        return latencyNanos.getValueAtPercentile(percentile) / NANOS_PER_MICRO;
    }

    /** How long the slowest request took, in microseconds. */
    public double maxLatencyMicros() {
        return latencyNanos.getMaxValue() / NANOS_PER_MICRO;
    }
}
