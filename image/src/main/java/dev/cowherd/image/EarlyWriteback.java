package dev.cowherd.image;

import dev.cowherd.metadata.LayerHandles;
import dev.cowherd.metadata.WritableImage;
import java.io.IOException;

/**
 * Has the host begin to bring new clusters to the device while the guest still writes, so that a flush does not find all of them
 * waiting. Only new clusters: they are written once and lie side by side, whereas bytes written in place may well be written again before
 * anybody wants them durable. And only where somebody has flushed before: whoever never does wants the page cache to keep what is
 * written.
 *
 * <p>One queue's, shared by the requests that it has in flight; used by one thread at a time.
 */
final class EarlyWriteback {
    /** Begun in one piece: large enough for a device to take it well, small enough that little is left for the flush. */
    static final long RUN_BYTES = 1L << 20;
    /** Clusters that other queues took in between: theirs are as new. */
    private static final long MOST_GAP_BYTES = 256L << 10;

    private final WritableImage image;
    private final LayerHandles top;
    private long from;
    private long to;

    EarlyWriteback(WritableImage image, LayerHandles top) {
        this.image = image;
        this.top = top;
    }

    /** The bytes of new clusters are with the host. */
    void wrote(long hostOffset, long length) throws IOException {
        if (!image.hasFlushed()) {
            return;
        }
        if (hostOffset < from - MOST_GAP_BYTES || hostOffset > to + MOST_GAP_BYTES) {
            // What is left behind is too little to be worth a request of its own.
            from = hostOffset;
            to = hostOffset;
        }
        from = Math.min(from, hostOffset);
        to = Math.max(to, hostOffset + length);
        if (to - from >= RUN_BYTES) {
            long start = from;
            from = to;
            image.startWriteback(top, start, to - start);
        }
    }
}
