package dev.cowherd.storage.queue;

import dev.cowherd.storage.HostAccess;
import dev.cowherd.storage.Storage;
import dev.cowherd.storage.StorageException;
import dev.cowherd.storage.queue.HostOperation.Kind;
import dev.cowherd.storage.ring.Completions;
import dev.cowherd.storage.ring.Ring;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The operations of one thread on host files: submitted through {@link HostFile}, taken by {@link #poll}. With a ring all that were
 * submitted go to the host together with the next poll; without one each is done while it is submitted, and the poll only
 * hands its completion out.
 *
 * <p>Belongs to the thread that made it, which is the ring's.
 */
public final class HostQueue implements AutoCloseable {
    private static final Completions NO_OTHERS = (token, result, flags) -> {
        throw new IllegalStateException("a request of the ring completed that nobody takes: token " + token);
    };

    private final @Nullable Ring ring;
    private final @Nullable RingTransfers transfers;
    private final Completions others;
    private final List<HostOperation> all = new ArrayList<>();
    private final ArrayDeque<HostOperation> idle = new ArrayDeque<>();
    private final ArrayDeque<HostOperation> ready = new ArrayDeque<>();
    /** Changes under O_DIRECT that wait until this queue has none in flight. */
    private final ArrayDeque<HostOperation> deferred = new ArrayDeque<>();

    private int inFlight;
    private int holds;

    private HostQueue(@Nullable Ring ring, Completions others, ResultJudge judge) {
        this.ring = ring;
        this.others = others;
        this.transfers = ring == null ? null : new RingTransfers(this, ring, judge);
    }

    /**
     * A queue over a ring of its own.
     *
     * @param ring the calling thread's; it stays the caller's to close, after the queue
     * @return the queue
     */
    public static HostQueue over(Ring ring) {
        return over(ring, NO_OTHERS);
    }

    /**
     * A queue over a ring that serves others too, sockets for one. Whoever makes the ring's turn, each completion finds its owner:
     * after a turn made elsewhere, {@code poll(0, …)} hands out what it brought for this queue.
     *
     * @param ring the calling thread's; it stays the caller's to close, after the queue
     * @param others takes the completions of others' requests when a poll of this queue makes the turn
     * @return the queue
     */
    public static HostQueue over(Ring ring, Completions others) {
        return over(ring, others, ResultJudge.HONEST);
    }

    /** The same; a test may change what the host answers. */
    static HostQueue over(Ring ring, Completions others, ResultJudge judge) {
        return new HostQueue(ring, others, judge);
    }

    /**
     * A queue that does everything by blocking calls.
     *
     * @return the queue
     */
    public static HostQueue blocking() {
        return new HostQueue(null, NO_OTHERS, ResultJudge.HONEST);
    }

    /**
     * Puts a storage on the queue. The caller detaches it before it closes the storage.
     *
     * @param storage a handle that no other thread uses at the same time, from {@link Storage#reopen()} for one
     * @return the storage as this queue sees it
     * @throws IOException if the storage is closed or the ring fails
     */
    public HostFile attach(Storage storage) throws IOException {
        HostAccess access = storage.hostAccess();
        if (ring == null || access == null) {
            return new HostFile(this, storage, null, null);
        }
        return new HostFile(this, storage, access, ring.files().register(access.descriptor()));
    }

    void detach(HostFile file) throws IOException {
        if (ring != null && file.isOnRing()) {
            ring.files().unregister(file.descriptor());
        }
    }

    /**
     * Operations that were submitted and whose completion was not handed out yet.
     *
     * @return how many
     */
    public int inFlight() {
        return inFlight;
    }

    HostOperation begin(Kind kind, HostFile file, long offset, long length, long token) {
        HostOperation operation = idle.pollLast();
        if (operation == null) {
            operation = new HostOperation(all.size());
            all.add(operation);
        }
        operation.begin(kind, file, offset, length, token);
        inFlight++;
        file.inFlight++;
        return operation;
    }

    HostOperation operation(int index) {
        return all.get(index);
    }

    /** Starts an operation; if that throws, there is none. */
    void start(HostOperation operation) throws IOException {
        boolean started = false;
        try {
            if (operation.kind.changes && operation.file().alignment > 1 && !deferred.isEmpty()) {
                deferred.add(operation);
            } else if (!tryStart(operation)) {
                deferred.add(operation);
            }
            started = true;
        } finally {
            if (!started) {
                release(operation);
            }
        }
    }

    /** False if the operation has to wait until no change of this queue is under way under O_DIRECT. */
    private boolean tryStart(HostOperation operation) throws IOException {
        HostFile file = operation.file();
        HostAccess access = file.access();
        if (transfers == null || access == null) {
            doBlocking(operation);
            return true;
        }
        if (file.alignment == 1) {
            if (operation.onlyBlocking) {
                doBlocking(operation);
            } else {
                transfers.issue(operation);
            }
            return true;
        }
        return operation.kind.changes ? tryChange(operation, access) : startDirectRead(operation);
    }

    private boolean startDirectRead(HostOperation operation) throws IOException {
        if (transfers != null && (!operation.kind.isRead() || operation.isAligned(operation.file().alignment))) {
            transfers.issue(operation);
        } else {
            doBlocking(operation);
        }
        return true;
    }

    /**
     * A change under O_DIRECT holds its blocks until it is done. The blocking call would wait for blocks that others
     * hold; it is made only while this queue holds none, so no two queues wait for each other.
     */
    private boolean tryChange(HostOperation operation, HostAccess access) throws IOException {
        // Growing by zeros moves the file's end, for which the storage holds more than the ring's operation would.
        boolean forRing = !operation.onlyBlocking && operation.kind != Kind.ZERO && operation.kind != Kind.ALLOCATE;
        boolean straight = forRing && operation.isAligned(operation.file().alignment);
        HostAccess.@Nullable Hold hold = straight ? access.tryHold(operation.offset, operation.length) : null;
        if (hold != null && transfers != null) {
            operation.hold = hold;
            holds++;
            transfers.issue(operation);
            return true;
        }
        if (holds > 0) {
            return false;
        }
        doBlocking(operation);
        return true;
    }

    private void doBlocking(HostOperation operation) {
        try {
            operation.done = blockingResult(operation, operation.file().storage());
        } catch (IOException e) {
            operation.failure = e;
        }
        ready.add(operation);
    }

    private static long blockingResult(HostOperation operation, Storage storage) throws IOException {
        long offset = operation.offset;
        long length = operation.length;
        switch (operation.kind) {
            case READ -> {
                return storage.read(offset, operation.buffer);
            }
            case READV -> {
                return storage.readv(offset, operation.buffers, operation.count);
            }
            case WRITE -> {
                storage.write(offset, operation.buffer);
                return length;
            }
            case WRITEV -> {
                storage.writev(offset, operation.buffers, operation.count);
                return length;
            }
            case SYNC -> storage.sync();
            case PUNCH -> storage.punchHole(offset, length);
            case ZERO -> storage.zero(offset, length);
            case ALLOCATE -> storage.allocate(offset, length);
        }
        return 0;
    }

    /** The ring cannot do an operation here: the storage knows how. */
    void fallBack(HostOperation operation) {
        operation.onlyBlocking = true;
        operation.done = 0;
        giveHold(operation);
        if (operation.file().alignment == 1) {
            doBlocking(operation);
        } else {
            deferred.add(operation);
        }
    }

    /** An operation has succeeded: what it has done is its answer. */
    void finish(HostOperation operation) {
        giveHold(operation);
        ready.add(operation);
    }

    void fail(HostOperation operation, int errno) {
        fail(
                operation,
                StorageException.of(
                        operation.kind.call, operation.file().storage().name(), operation.offset, errno));
    }

    void fail(HostOperation operation, IOException failure) {
        operation.failure = failure;
        finish(operation);
    }

    private void giveHold(HostOperation operation) {
        HostAccess.@Nullable Hold hold = operation.hold;
        if (hold != null) {
            operation.hold = null;
            holds--;
            hold.give();
        }
    }

    /**
     * Hands everything that was submitted to the host, waits for completions, and hands out all there are.
     *
     * @param least completions to wait for; where fewer operations are in flight, those. 0 to only look.
     * @param handler takes each completion; it may submit operations, which go out with the next poll
     * @return how many were handed out
     * @throws IOException if the ring fails
     */
    public int poll(int least, HostCompletions handler) throws IOException {
        int wanted = Math.min(least, inFlight);
        int handedOut = handOut(handler);
        while (true) {
            if (ring != null) {
                ring.submitAndWait(Math.max(0, wanted - handedOut - ready.size()), others);
                retryDeferred();
            }
            handedOut += handOut(handler);
            if (handedOut >= Math.min(wanted, handedOut + inFlight)) {
                return handedOut;
            }
        }
    }

    private void retryDeferred() throws IOException {
        while (!deferred.isEmpty() && tryStart(deferred.peekFirst())) {
            deferred.removeFirst();
        }
    }

    private int handOut(HostCompletions handler) {
        int count = ready.size();
        for (int i = 0; i < count; i++) {
            HostOperation operation = ready.removeFirst();
            long token = operation.token;
            long done = operation.done;
            IOException failure = operation.failure;
            release(operation);
            if (failure == null) {
                handler.completed(token, done);
            } else {
                handler.failed(token, failure);
            }
        }
        return count;
    }

    private void release(HostOperation operation) {
        giveHold(operation);
        operation.file().inFlight--;
        inFlight--;
        operation.end();
        idle.addLast(operation);
    }

    /**
     * Waits for everything that was submitted; its completions are dropped. Ring and storages stay open.
     *
     * @throws IOException if the ring fails
     */
    @Override
    public void close() throws IOException {
        while (inFlight > 0) {
            poll(inFlight, Dropped.INSTANCE);
        }
    }

    private enum Dropped implements HostCompletions {
        INSTANCE;

        @Override
        public void completed(long token, long bytes) {}

        @Override
        public void failed(long token, IOException failure) {}
    }
}
