package dev.cowherd.storage.ring;

import dev.cowherd.storage.StorageException;
import dev.cowherd.storage.linux.RingCalls;
import dev.cowherd.storage.linux.RingSystemCalls;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * One io_uring of one thread: requests are prepared in any number, go to the kernel together in one call a turn, and come back as
 * completions in any order.
 *
 * <p>{@link FileRequests} and {@link SocketRequests} prepare what moves bytes. Every request carries a token of the caller's that
 * comes back with its completion. A buffer stays open and untouched until then; if it belongs to an automatic arena, the ring keeps
 * it alive. {@link #close()} takes all requests back and waits until the kernel has let go of every buffer.
 *
 * <p>Belongs to the platform thread that opened it: every method but {@link #probe()} and {@link #open} throws
 * {@link WrongThreadException} elsewhere.
 */
public final class Ring implements AutoCloseable {
    private static final Completions DISCARD = (token, result, flags) -> {};
    /** The most bytes of one transfer: the kernel's own limit. */
    private static final long MOST_BYTES = 0x7fff_f000L;

    private final Thread owner = Thread.currentThread();
    private final RingCalls calls;
    private final RingMemory memory;
    private final RingQueues queues;
    private final Arguments arguments;
    private final RegisteredFiles files;
    private final RegisteredBuffers buffers;
    private final List<Doorbell> doorbells = new ArrayList<>();
    private boolean closed;

    private Ring(RingCalls calls, RingOptions options, RingMemory memory) {
        this.calls = calls;
        this.memory = memory;
        this.queues = new RingQueues(calls, memory);
        this.arguments = new Arguments(this, memory);
        this.files = new RegisteredFiles(this, memory, options.files());
        this.buffers = new RegisteredBuffers(this, memory, options.buffers());
    }

    /**
     * Opens a ring for the calling thread, and sees that it works.
     *
     * @param options how large
     * @return the ring; the same thread closes it
     * @throws RingRefusedException if the kernel, a sandbox or a limit says no
     * @throws IllegalStateException on a virtual thread: the kernel knows threads of its own only
     */
    public static Ring open(RingOptions options) throws RingRefusedException {
        return open(options, RingSystemCalls.HOST);
    }

    /**
     * The same; a test may stand between the ring and the kernel.
     *
     * @param options how large
     * @param calls the kernel
     * @return the ring; the same thread closes it
     * @throws RingRefusedException if the kernel, a sandbox or a limit says no
     */
    public static Ring open(RingOptions options, RingCalls calls) throws RingRefusedException {
        if (Thread.currentThread().isVirtual()) {
            throw new IllegalStateException("a ring belongs to a platform thread, not to a virtual one");
        }
        Ring ring = new Ring(calls, options, RingMemory.open(calls, options));
        boolean works = false;
        try {
            ring.files.createTable();
            ring.nop(0);
            ring.submitAndWait(1, DISCARD);
            works = true;
            return ring;
        } catch (StorageException refused) {
            throw RingRefusedException.of(refused.operation(), refused.errno());
        } catch (IOException e) {
            throw new IllegalStateException("a ring fails with the kernel's errno or not at all", e);
        } finally {
            if (!works) {
                ring.giveBack();
            }
        }
    }

    /**
     * Whether rings can be had here, found out by opening one.
     *
     * @return why not, or empty if they can
     */
    public static Optional<RingRefusedException> probe() {
        return probe(RingSystemCalls.HOST);
    }

    static Optional<RingRefusedException> probe(RingCalls calls) {
        try {
            open(RingOptions.ofEntries(1), calls).giveBack();
            return Optional.empty();
        } catch (RingRefusedException refused) {
            return Optional.of(refused);
        }
    }

    /**
     * The table of registered files.
     *
     * @return the ring's own
     */
    public RegisteredFiles files() {
        return files;
    }

    /**
     * The table of registered buffers.
     *
     * @return the ring's own
     */
    public RegisteredBuffers buffers() {
        return buffers;
    }

    /**
     * Prepares a request that does nothing.
     *
     * @param token comes back with the completion, result 0
     * @return the request, for {@link #cancel}
     * @throws IOException if the kernel takes no more requests
     */
    public long nop(long token) throws IOException {
        return add(Uapi.OP_NOP, 0, 0, 0, 0, token, null, null);
    }

    /**
     * Prepares a request that completes after a time, with {@code -ETIME}.
     *
     * @param nanos nanoseconds from when the kernel takes the request, 0 or more
     * @param token comes back with the completion
     * @return the request, for {@link #cancel}
     * @throws IOException if the kernel takes no more requests
     */
    public long timeout(long nanos, long token) throws IOException {
        requireOpen();
        if (nanos < 0) {
            throw new IllegalArgumentException("a time to wait is not negative: " + nanos);
        }
        return add(Uapi.OP_TIMEOUT, 0, arguments.time(nanos), 1, 0, token, null, null);
    }

    /**
     * Prepares taking a request back. If it comes in time the request completes with {@code -ECANCELED}; a transfer
     * that the host has begun on a file completes as if nothing had happened. Every request completes in any case.
     *
     * @param request what preparing it answered
     * @param token comes back with this request's own completion: 0, or minus errno if there was nothing to take back
     * @return this request
     * @throws IOException if the kernel takes no more requests
     */
    public long cancel(long request, long token) throws IOException {
        return add(Uapi.OP_ASYNC_CANCEL, 0, request, 0, 0, token, null, null);
    }

    /** Adds a request; the words are {@link SubmissionQueue#add}'s. */
    long add(
            long what,
            long offset,
            long address,
            long lengthAndFlags,
            long bufferIndex,
            long token,
            @Nullable MemorySegment held,
            @Nullable Completions receiver)
            throws IOException {
        requireOpen();
        return queues.add(what, offset, address, lengthAndFlags, bufferIndex, token, held, receiver);
    }

    /** Keeps several buffers for a request that was just added. */
    void hold(long request, MemorySegment[] buffers, int count) {
        queues.hold(request, buffers, count);
    }

    Arguments arguments() {
        return arguments;
    }

    boolean hasPending() {
        return queues.hasPending();
    }

    /** Checks a buffer that a request is to name. */
    void requireUsable(MemorySegment buffer, boolean written) {
        if (!buffer.isNative() || (written && buffer.isReadOnly()) || buffer.byteSize() > MOST_BYTES) {
            throw new IllegalArgumentException("a buffer of a request is native, no larger than " + MOST_BYTES
                    + " bytes and writable for input: " + buffer);
        }
        if (!buffer.scope().isAlive() || !buffer.isAccessibleBy(owner)) {
            throw new IllegalArgumentException("a buffer of a request is open, and this thread's to use: " + buffer);
        }
    }

    /**
     * Requests that were prepared and have not completed.
     *
     * @return how many
     */
    public int inFlight() {
        return queues.inFlight();
    }

    /**
     * How often the kernel was entered: the measure of batching.
     *
     * @return calls of {@code io_uring_enter} since the ring was opened
     */
    public long enters() {
        return queues.enters();
    }

    /**
     * Hands all prepared requests to the kernel, without waiting and without taking completions. Not needed where
     * {@link #submitAndWait(int, Completions)} follows.
     *
     * @throws IOException if the kernel takes no more requests
     */
    public void submit() throws IOException {
        requireOpen();
        queues.submit();
    }

    /**
     * One turn: hands all prepared requests to the kernel, waits for completions, and delivers all there are.
     *
     * @param least completions to wait for; where fewer requests are in flight, those. 0 to only look.
     * @param handler takes each completion; it may prepare requests, which go out with the next turn
     * @return how many were delivered
     * @throws IOException if the kernel fails
     */
    public int submitAndWait(int least, Completions handler) throws IOException {
        requireOpen();
        return queues.turn(least, RingQueues.NO_DEADLINE, handler);
    }

    /**
     * The same, with a limit on the wait.
     *
     * @param least completions to wait for
     * @param nanos nanoseconds after which the turn ends, however few completions came
     * @param handler takes each completion
     * @return how many were delivered
     * @throws IOException if the kernel fails
     */
    public int submitAndWait(int least, long nanos, Completions handler) throws IOException {
        requireOpen();
        return queues.turn(least, Math.max(0, nanos), handler);
    }

    /** One io_uring_register(2), all prepared requests handed over before, for they may name what it changes. */
    void register(int operation, MemorySegment argument, int count) throws IOException {
        requireOpen();
        queues.register(operation, argument, count);
    }

    /**
     * Creates what other threads ring to wake this one. The ring closes it.
     *
     * @return a new doorbell, not listened to yet
     * @throws IOException if the process has no descriptor left
     */
    public Doorbell doorbell() throws IOException {
        requireOpen();
        Doorbell doorbell = new Doorbell(this, calls);
        doorbells.add(doorbell);
        return doorbell;
    }

    /**
     * Takes all requests back and waits until each has completed. The ring takes no more; what is left to do is {@link #close()}.
     *
     * @param handler takes each completion that still comes; it must not prepare requests
     * @throws IOException if the kernel fails: it may still write to the buffers of what is in flight. May be called again.
     */
    public void takeBack(Completions handler) throws IOException {
        requireOpen();
        queues.drain(handler);
    }

    /**
     * Takes all requests back, waits until each has completed, and gives the ring back. Completions that come
     * meanwhile are dropped. Does nothing the second time.
     *
     * @throws IOException if the kernel fails; the ring's memory is then kept, for the kernel may still write to it
     */
    @Override
    public void close() throws IOException {
        close(DISCARD);
    }

    /**
     * The same, for callers who own what a completion may bring, such as an accepted connection.
     *
     * @param handler takes each completion that still comes; it must not prepare requests
     * @throws IOException if the kernel fails
     */
    public void close(Completions handler) throws IOException {
        if (closed) {
            return;
        }
        requireOpen();
        queues.drain(handler);
        giveBack();
    }

    private void giveBack() {
        closed = true;
        doorbells.forEach(Doorbell::giveBack);
        memory.close();
        buffers.giveBack();
    }

    @SuppressWarnings("ReferenceEquality") // A thread is itself only, whatever a subclass says.
    private void requireOpen() {
        if (Thread.currentThread() != owner) {
            throw new WrongThreadException("a ring of thread " + owner.getName() + " was used by thread "
                    + Thread.currentThread().getName());
        }
        if (closed) {
            throw new IllegalStateException("the ring is closed");
        }
    }
}
