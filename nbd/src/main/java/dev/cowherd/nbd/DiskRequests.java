package dev.cowherd.nbd;

import dev.cowherd.storage.Errno;
import dev.cowherd.storage.StorageException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The disk's side of a connection, where its failures end: each becomes one failed request, with an error number of the
 * protocol, and a line in the log, so that one bad cluster, a full host, or a fault of our own does not cost the client its
 * connection. Used by one thread.
 */
final class DiskRequests {
    /** A client that reads a broken place again and again does not flood the log. */
    private static final int MAX_LOGGED = 10;

    private final Export.Queue queue;
    private final Consumer<String> log;
    private int failures;

    DiskRequests(Export.Queue queue, Consumer<String> log) {
        this.queue = queue;
        this.log = log;
    }

    /** Fills the segment; 0, or the error. */
    int read(long offset, MemorySegment destination) {
        try {
            queue.read(offset, destination);
            return 0;
        } catch (IOException | RuntimeException e) {
            return failed("read", offset, destination.byteSize(), e);
        }
    }

    /** Writes the segment; 0, or the error. */
    int write(long offset, MemorySegment source) {
        try {
            queue.write(offset, source);
            return 0;
        } catch (IOException | RuntimeException e) {
            return failed("write", offset, source.byteSize(), e);
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
            return failed("write of zeros", offset, length, e);
        }
    }

    /** Gives space back; 0, or the error. */
    int trim(long offset, long length) {
        try {
            queue.trim(offset, length);
            return 0;
        } catch (IOException | RuntimeException e) {
            return failed("trim", offset, length, e);
        }
    }

    /** Makes all that completed durable; 0, or the error. */
    int flush() {
        try {
            queue.flush();
            return 0;
        } catch (IOException | RuntimeException e) {
            return failed("flush", e);
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

    private int failed(String what, long offset, long length, Exception e) {
        return failed("%s of %d bytes at %d".formatted(what, length, offset), e);
    }

    private int failed(String what, Exception e) {
        failures++;
        if (failures <= MAX_LOGGED) {
            String reason = e instanceof IOException && e.getMessage() != null ? e.getMessage() : e.toString();
            String more = failures == MAX_LOGGED ? " (more of this connection are not shown)" : "";
            log.accept(what + " failed: " + reason + more);
        }
        return errorOf(e);
    }

    /** What the client may want to act on keeps its name; all else is an I/O error. */
    private static int errorOf(Exception e) {
        if (e instanceof StorageException host) {
            int errno = host.errno();
            if (errno == Errno.ENOSPC.number() || errno == Errno.EDQUOT.number() || errno == Errno.EFBIG.number()) {
                return Protocol.ENOSPC;
            }
            if (errno == Errno.ENOMEM.number()) {
                return Protocol.ENOMEM;
            }
        }
        return Protocol.EIO;
    }
}
