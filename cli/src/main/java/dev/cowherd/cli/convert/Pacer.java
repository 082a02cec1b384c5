package dev.cowherd.cli.convert;

import java.util.concurrent.locks.LockSupport;

/** Keeps all threads of a conversion together below a rate: each piece of work waits for its turn on one time line. */
final class Pacer {
    private static final double NANOS_PER_SECOND = 1e9;

    private final long bytesPerSecond;
    private long nextNanos;

    /**
     * A time line that starts now.
     *
     * @param bytesPerSecond the rate; 0 for none
     */
    Pacer(long bytesPerSecond) {
        this.bytesPerSecond = bytesPerSecond;
        this.nextNanos = System.nanoTime();
    }

    /**
     * Waits until the rate allows for more bytes, or the calling thread is interrupted.
     *
     * @param bytes how many
     */
    void await(long bytes) {
        if (bytesPerSecond == 0) {
            return;
        }
        long turn = takeTurn(bytes);
        long wait = turn - System.nanoTime();
        while (wait > 0 && !Thread.currentThread().isInterrupted()) {
            LockSupport.parkNanos(wait);
            wait = turn - System.nanoTime();
        }
    }

    private synchronized long takeTurn(long bytes) {
        long now = System.nanoTime();
        long turn = nextNanos - now > 0 ? nextNanos : now;
        nextNanos = turn + (long) (bytes * NANOS_PER_SECOND / bytesPerSecond);
        return turn;
    }
}
