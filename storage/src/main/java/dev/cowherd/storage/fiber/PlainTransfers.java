package dev.cowherd.storage.fiber;

import dev.cowherd.storage.ring.FileRequests;
import dev.cowherd.storage.ring.Ring;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.function.IntConsumer;

/**
 * Begins transfers that no fiber waits for: one request to the kernel each, and the result to a receiver. What costs a fiber its mount and
 * leave is spared where there is nothing else to do than to move bytes.
 *
 * <p>Belongs to its loop's thread.
 */
public final class PlainTransfers {
    /** Takes results. */
    @FunctionalInterface
    public interface Receiver {
        /**
         * A transfer has ended.
         *
         * @param token what it was begun with
         * @param result the bytes moved, which may be fewer than asked, or minus errno
         */
        void completed(long token, int result);
    }

    private final FiberLoop loop;
    private final FileRequests requests;
    private final Receiver receiver;

    PlainTransfers(FiberLoop loop, Ring ring, Receiver receiver) {
        this.loop = loop;
        this.receiver = receiver;
        this.requests = new FileRequests(ring, (token, result, flags) -> end(token, result));
    }

    private void end(long token, int result) {
        loop.transferEnded();
        receiver.completed(token, loop.resultOf(result));
    }

    /**
     * Begins a transfer that the loop's {@linkplain FiberLoop#waitOn played host} makes.
     *
     * @param token comes back with the result
     * @return takes the result, inside {@link FiberLoop.Host#pass}
     */
    public IntConsumer begin(long token) {
        loop.transferBegan();
        return result -> end(token, result);
    }

    /**
     * Begins a read.
     *
     * @param file a file of the same loop
     * @param offset host offset in bytes
     * @param destination a native segment of at most 2 GiB less a page; open until the result came
     * @param token comes back with the result
     * @return false if the file is another loop's, or the ring has failed; nothing was done then
     * @throws IOException if the kernel takes no more requests
     */
    public boolean read(LoopFile file, long offset, MemorySegment destination, long token) throws IOException {
        if (!isMine(file) || offset < 0 || loop.hasFailed()) {
            return false;
        }
        try {
            requests.read(file.descriptor, offset, destination, token);
        } catch (IOException e) {
            loop.fail(e);
            throw e;
        }
        loop.transferBegan();
        return true;
    }

    /**
     * Begins a write.
     *
     * @param file a file of the same loop
     * @param offset host offset in bytes
     * @param source a native segment of at most 2 GiB less a page; open and unchanged until the result came
     * @param token comes back with the result
     * @return false if the file is another loop's, or the ring has failed; nothing was done then
     * @throws IOException if the kernel takes no more requests
     */
    public boolean write(LoopFile file, long offset, MemorySegment source, long token) throws IOException {
        if (!isMine(file) || offset < 0 || loop.hasFailed()) {
            return false;
        }
        try {
            requests.write(file.descriptor, offset, source, token);
        } catch (IOException e) {
            loop.fail(e);
            throw e;
        }
        loop.transferBegan();
        return true;
    }

    @SuppressWarnings("ReferenceEquality") // A loop is itself only.
    private boolean isMine(LoopFile file) {
        return file.loop == loop;
    }
}
