package dev.cowherd.check;

import java.util.concurrent.atomic.LongAdder;

/** How far the check is, in bytes of tables read; told to the listener by one thread. */
final class Progress {
    private final CheckListener listener;
    private final long totalBytes;
    private final LongAdder done = new LongAdder();

    Progress(CheckListener listener, long totalBytes) {
        this.listener = listener;
        this.totalBytes = Math.max(1, totalBytes);
    }

    /** Adds work done; safe for any number of threads. */
    void did(long bytes) {
        done.add(bytes);
    }

    /** Tells the listener; only on the thread that runs the check. */
    void tell() {
        listener.progress(Math.min(1.0, (double) done.sum() / totalBytes));
    }
}
