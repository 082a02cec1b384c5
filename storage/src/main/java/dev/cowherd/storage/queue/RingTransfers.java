package dev.cowherd.storage.queue;

import dev.cowherd.storage.Errno;
import dev.cowherd.storage.HostAccess;
import dev.cowherd.storage.StorageException;
import dev.cowherd.storage.queue.HostOperation.Kind;
import dev.cowherd.storage.ring.Completions;
import dev.cowherd.storage.ring.FileRequests;
import dev.cowherd.storage.ring.Ring;
import dev.cowherd.storage.ring.RingDescriptor;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Makes requests of operations and goes on where one stopped short: what {@code Transfers} is for blocking calls. One request of
 * an operation is in flight at a time.
 */
final class RingTransfers implements Completions {
    private static final int MOST_BUFFERS = 1024;
    private static final long MOST_BYTES = 1 << 30;
    /** How often the host may ask to come again before that is an error. */
    private static final int MOST_REFUSALS = 100;

    private static final int FALLOC_FL_KEEP_SIZE = 1;
    private static final int FALLOC_FL_PUNCH_HOLE = 2;
    private static final int FALLOC_FL_ZERO_RANGE = 16;

    private final HostQueue queue;
    private final FileRequests requests;
    private final ResultJudge judge;
    private final MemorySegment[] rest = new MemorySegment[MOST_BUFFERS];

    RingTransfers(HostQueue queue, Ring ring, ResultJudge judge) {
        this.queue = queue;
        this.requests = new FileRequests(ring, this);
        this.judge = judge;
    }

    /** Prepares the request for what is left of an operation. */
    void issue(HostOperation operation) throws IOException {
        HostFile file = operation.file();
        RingDescriptor on = file.descriptor();
        if (operation.kind.isTransfer() && operation.length == 0) {
            queue.finish(operation);
            return;
        }
        if (!mayBegin(operation)) {
            return;
        }
        int token = operation.index;
        long offset = operation.offset;
        long length = operation.length;
        switch (operation.kind) {
            case READ -> requests.read(on, offset + operation.done, restOfBuffer(operation), token);
            case WRITE -> requests.write(on, offset + operation.done, restOfBuffer(operation), token);
            case READV, WRITEV -> issueVector(operation, on);
            case SYNC -> requests.fsync(on, true, token);
            case PUNCH -> requests.fallocate(on, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length, token);
            case ZERO -> requests.fallocate(on, FALLOC_FL_ZERO_RANGE, offset, length, token);
            case ALLOCATE -> requests.fallocate(on, 0, offset, length, token);
        }
    }

    private void issueVector(HostOperation operation, RingDescriptor on) throws IOException {
        int count = operation.rest(rest);
        long at = operation.offset + operation.done;
        try {
            if (operation.kind == Kind.READV) {
                requests.readv(on, at, rest, count, operation.index);
            } else {
                requests.writev(on, at, rest, count, operation.index);
            }
        } finally {
            Arrays.fill(rest, 0, count, MemorySegment.NULL);
        }
    }

    /** What a blocking call would refuse, or not do, before it asks the host. */
    private boolean mayBegin(HostOperation operation) {
        HostAccess access = operation.file().access();
        if (access == null || operation.done > 0) {
            return true;
        }
        if (operation.kind.changes && !access.writable()) {
            queue.fail(
                    operation,
                    new StorageException(
                            operation.kind.call,
                            operation.file().storage().name(),
                            operation.offset,
                            Errno.EBADF.number(),
                            "the storage was opened read-only"));
            return false;
        }
        // To the ring, -1 would mean the file's own cursor.
        if (operation.offset < 0) {
            queue.fail(operation, Errno.EINVAL.number());
            return false;
        }
        if (operation.kind == Kind.SYNC && access.ignoresSync()) {
            queue.finish(operation);
            return false;
        }
        return true;
    }

    private static MemorySegment restOfBuffer(HostOperation operation) {
        long left = operation.length - operation.done;
        return operation.done == 0 && left <= MOST_BYTES
                ? operation.buffer
                : operation.buffer.asSlice(operation.done, Math.min(left, MOST_BYTES));
    }

    @Override
    public void completed(long token, int result, int flags) {
        HostOperation operation = queue.operation((int) token);
        try {
            goOn(operation, judge.judge(operation.kind, operation.offset + operation.done, result));
        } catch (IOException e) {
            queue.fail(operation, e);
        }
    }

    private void goOn(HostOperation operation, int result) throws IOException {
        if (result < 0) {
            refused(operation, -result);
        } else if (!operation.kind.isTransfer()) {
            queue.finish(operation);
        } else {
            operation.refusals = 0;
            moved(operation, result);
        }
    }

    private void refused(HostOperation operation, int errno) throws IOException {
        boolean forNow = errno == Errno.EINTR.number() || errno == Errno.EAGAIN.number();
        boolean unsupported =
                errno == Errno.EOPNOTSUPP.number() || errno == Errno.ENODEV.number() || errno == Errno.EINVAL.number();
        if (forNow && operation.refusals < MOST_REFUSALS) {
            operation.refusals++;
            issue(operation);
        } else if (unsupported && operation.kind.changes && !operation.kind.isTransfer()) {
            queue.fallBack(operation);
        } else {
            queue.fail(operation, errno);
        }
    }

    /** Under O_DIRECT a transfer goes on from a block's start only, and a read that stops inside a block has met the end. */
    private void moved(HostOperation operation, int bytes) throws IOException {
        long alignment = operation.file().alignment;
        if (operation.kind.isRead()) {
            operation.done += bytes;
            boolean end = bytes == 0 || operation.done % alignment != 0;
            if (end || operation.done == operation.length) {
                queue.finish(operation);
                return;
            }
        } else {
            boolean all = operation.done + bytes == operation.length;
            long advance = all ? bytes : bytes - bytes % alignment;
            if (advance == 0) {
                queue.fail(operation, Errno.EIO.number());
                return;
            }
            operation.done += advance;
            if (all) {
                queue.finish(operation);
                return;
            }
        }
        issue(operation);
    }
}
