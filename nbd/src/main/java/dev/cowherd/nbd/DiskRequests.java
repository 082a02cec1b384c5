package dev.cowherd.nbd;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** A queue's requests with the protocol's errors for exceptions. Used by one thread. */
final class DiskRequests {
    private final Export.Queue queue;
    private final DiskFailures failures;

    DiskRequests(Export.Queue queue, DiskFailures failures) {
        this.queue = queue;
        this.failures = failures;
    }

    /** Fills the segment; 0, or the error. */
    int read(long offset, MemorySegment destination) {
        try {
            queue.read(offset, destination);
            return 0;
        } catch (IOException | RuntimeException e) {
            return failures.failed("read", offset, destination.byteSize(), e);
        }
    }

    /** Writes the segment; 0, or the error. */
    int write(long offset, MemorySegment source) {
        try {
            queue.write(offset, source);
            return 0;
        } catch (IOException | RuntimeException e) {
            return failures.failed("write", offset, source.byteSize(), e);
        }
    }

    /** Zeroes a range, if asked only where that is fast; 0, or the error. */
    int writeZeroes(long offset, long length, boolean mayUnmap, boolean onlyIfFast) {
        try {
            if (onlyIfFast && !queue.zeroesAreFast(offset, length)) {
                return Protocol.ENOTSUP;
            }
            queue.writeZeroes(offset, length, mayUnmap);
            return 0;
        } catch (IOException | RuntimeException e) {
            return failures.failed("write of zeros", offset, length, e);
        }
    }

    /** Gives space back; 0, or the error. */
    int trim(long offset, long length) {
        try {
            queue.trim(offset, length);
            return 0;
        } catch (IOException | RuntimeException e) {
            return failures.failed("trim", offset, length, e);
        }
    }

    /** Makes all that completed durable; 0, or the error. */
    int flush() {
        try {
            queue.flush();
            return 0;
        } catch (IOException | RuntimeException e) {
            return failures.failed("flush", e);
        }
    }

    /** What is known from an offset on; null if the disk could not say. */
    Export.@Nullable Run runAt(long offset, long maxLength) {
        try {
            return queue.runAt(offset, maxLength);
        } catch (IOException | RuntimeException e) {
            failures.failed("block status at " + offset, e);
            return null;
        }
    }
}
