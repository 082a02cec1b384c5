package dev.cowherd.nbd;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The disk's side of a connection, where its failures end: each becomes one failed request and a line in the log, so that
 * one bad cluster, or a fault of our own, does not cost the client its connection. Used by one thread.
 */
final class DiskReads {
    /** A client that reads a broken place again and again does not flood the log. */
    private static final int MAX_LOGGED = 10;

    private final Export.Queue queue;
    private final Consumer<String> log;
    private int failures;

    DiskReads(Export.Queue queue, Consumer<String> log) {
        this.queue = queue;
        this.log = log;
    }

    /** Fills the segment; false if the disk could not. */
    boolean read(long offset, MemorySegment destination) {
        try {
            queue.read(offset, destination);
            return true;
        } catch (IOException | RuntimeException e) {
            failed("read of %d bytes at %d".formatted(destination.byteSize(), offset), e);
            return false;
        }
    }

    /** What is known from an offset on; null if the disk could not say. */
    Export.@Nullable Run runAt(long offset, long maxLength) {
        try {
            return queue.runAt(offset, maxLength);
        } catch (IOException | RuntimeException e) {
            failed("block status at " + offset, e);
            return null;
        }
    }

    private void failed(String what, Exception e) {
        failures++;
        if (failures <= MAX_LOGGED) {
            String reason = e instanceof IOException && e.getMessage() != null ? e.getMessage() : e.toString();
            String more = failures == MAX_LOGGED ? " (more of this connection are not shown)" : "";
            log.accept(what + " failed: " + reason + more);
        }
    }
}
