package dev.cowherd.nbd;

import dev.cowherd.storage.Errno;
import dev.cowherd.storage.StorageException;
import java.io.IOException;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;

/**
 * Where failures of the disk end, for one connection: each becomes one failed request, with an error number of the protocol, and a
 * line in the log, so that one bad cluster, a full host, or a fault of our own does not cost the client its connection. Used
 * by one thread.
 */
final class DiskFailures {
    /** A client that reads a broken place again and again does not flood the log. */
    private static final int MAX_LOGGED = 10;

    private final Consumer<String> log;
    private BooleanSupplier silent = () -> false;
    private int failures;

    DiskFailures(Consumer<String> log) {
        this.log = log;
    }

    /** While something else has failed that all failures follow from, and that is told by others. */
    void sayNothingWhile(BooleanSupplier known) {
        silent = known;
    }

    /** Takes note of a failure: the protocol's error. */
    int failed(String what, long offset, long length, Throwable e) {
        return failed("%s of %d bytes at %d".formatted(what, length, offset), e);
    }

    /** The same, for what has no range. */
    int failed(String what, Throwable e) {
        if (!silent.getAsBoolean() && ++failures <= MAX_LOGGED) {
            String reason = e instanceof IOException && e.getMessage() != null ? e.getMessage() : e.toString();
            String more = failures == MAX_LOGGED ? " (more of this connection are not shown)" : "";
            log.accept(what + " failed: " + reason + more);
        }
        return errorOf(e);
    }

    /** What the client may want to act on keeps its name; all else is an I/O error. */
    private static int errorOf(Throwable e) {
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
