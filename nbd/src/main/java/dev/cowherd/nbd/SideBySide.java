package dev.cowherd.nbd;

import dev.cowherd.image.RequestQueue;
import dev.cowherd.storage.fiber.FiberLoop;
import dev.cowherd.storage.ring.RingDescriptor;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The ring engine: the socket and the disk's files are on one ring, which one thread turns. Requests are taken as they come, each
 * goes its own way in a slot of its own, and is answered when it is done, whatever is still under way before it.
 *
 * <p>A turn is one call of the kernel: it takes the transfers of all requests that arrived together, or the replies that are ready, in
 * one piece, and the wait for more requests beside those under way. Where none is under way the thread waits in a plain read of the
 * socket, which is the cheapest there is; so a client that has one request at a time loses nothing. Requests are taken on a fiber, which leaves where the client has sent no more, or
 * has all slots in use; so neither a client that takes no replies nor one that sends no payload costs more than its own slots.
 *
 * <p>A read is not copied: the kernel puts it where it is sent from. A payload is copied once if it is short, because many of those
 * arrive with one call; of a long one the rest that is still to come is received where it is written from.
 *
 * <p>If the ring fails, the requests under way end all the same, so that nothing is left held; their client is disconnected.
 *
 * <p>Replies that promise durability wait for one flush that begins after each of their requests was done; those that come during a
 * flush wait for the next.
 */
final class SideBySide implements Performer {
    private static final long FLUSH = -1;
    /** So many bytes are asked for before what needs no waiting gets done and answered: they are in the processor's cache then. */
    private static final int BATCH_BYTES = 64 << 10;
    /** No request is begun while so many bytes of replies are ready to be taken: more would fall out of the cache before they are. */
    private static final int MOST_UNSENT_BYTES = 256 << 10;

    private final FiberLoop loop;
    private final Export.Pipeline pipeline;
    private final RequestQueue.Handler handler = this::completed;
    private final Inbound in;
    private final RingInput input;
    private final DiskFailures failures;
    private final Sender sender;
    private final Slots slots;
    /** Done, to be answered after a flush that has not begun. */
    private final List<Slot> owed = new ArrayList<>();
    /** Done before the flush that is under way. */
    private final List<Slot> paying = new ArrayList<>();

    private boolean flushing;
    /** Slots whose payload is still awaited, and nothing else: one or none. */
    private int beingReceived;
    /** Requests begun, done and answered so far. */
    private long progress;
    /** The progress that the last look for what needs no waiting began with. */
    private long seen;

    /** Of requests taken since the client was asked for more, or since the last pause. */
    private int begunBytes;
    /** Lets go on who takes requests, after a pause in which those that were taken get on. */
    private @Nullable Runnable paused;

    private @Nullable Runnable whenReleased;
    private @Nullable Runnable whenWritten;
    private @Nullable Throwable end;

    SideBySide(
            FiberLoop loop,
            Export.Pipeline pipeline,
            Inbound in,
            RingInput input,
            RingDescriptor socket,
            DiskFailures failures,
            int maxInflight,
            boolean structured,
            Runnable hangUp) {
        this.loop = loop;
        this.pipeline = pipeline;
        this.in = in;
        this.input = input;
        this.failures = failures;
        this.sender = new Sender(loop, socket, this::release, hangUp);
        this.slots = new Slots(maxInflight, structured, sender);
    }

    /** Serves until there is nothing more to serve; all requests have ended then, and their replies have left if the client took them. */
    void run(Transmission requests) throws IOException {
        loop.begin(() -> takeAll(requests));
        while (loop.busy() > 0) {
            answerAll();
            sender.push();
            IOException failure = loop.failure().orElse(null);
            if (failure == null) {
                turn();
            } else {
                turnWithoutRing(failure);
            }
        }
        slots.close();
        IOException failure = loop.failure().orElse(null);
        if (failure != null) {
            throw new RingFailedException(failure);
        }
        switch (end) {
            case null -> {}
            case IOException e -> throw e;
            case RuntimeException e -> throw e;
            default -> throw new IllegalStateException("a connection failed", end);
        }
    }

    /**
     * One turn. Before the client is asked for more, what needs no waiting gets done, and its replies leave: often that is all there is,
     * and the thread may as well wait in a plain read.
     */
    private void turn() {
        Runnable goOn = paused;
        if (goOn != null) {
            loop.turn(0);
            answerAll();
            sender.push();
            paused = null;
            goOn.run();
            loop.turn(0);
        } else if (!input.isWanted()) {
            loop.turn(1);
        } else if (slots.used() == beingReceived) {
            begunBytes = 0;
            input.readNow();
            loop.turn(0);
        } else if (seen != progress) {
            seen = progress;
            loop.turn(0);
        } else {
            begunBytes = 0;
            try {
                input.receive();
            } catch (IOException e) {
                loop.fail(e);
                return;
            }
            loop.turn(1);
        }
    }

    /** The ring has failed: its requests end, without replies, and so does the connection. */
    private void turnWithoutRing(IOException failure) {
        sender.lose();
        Runnable goOn = paused;
        if (goOn != null) {
            paused = null;
            goOn.run();
        }
        if (input.isWanted()) {
            input.end(failure);
        }
        // All replies are dropped now; nobody is left but who waits for another thread, or can go on.
        answerAll();
        sender.push();
        loop.turn(1);
    }

    /** Until nothing is left that could go on now: the turn that follows may wait. */
    private void answerAll() {
        do {
            pipeline.take(handler);
        } while (payDebts());
    }

    private void takeAll(Transmission requests) {
        try {
            requests.run();
        } catch (IOException | RuntimeException | Error e) {
            end = e;
            sender.lose();
        }
        while (slots.used() > 0) {
            awaitRelease();
        }
    }

    private void awaitRelease() {
        FiberLoop.leaveUntil(goOn -> {
            whenReleased = goOn;
            return true;
        });
    }

    private void release(Slot slot) {
        progress++;
        slots.release(slot);
        Runnable goOn = whenReleased;
        if (goOn != null) {
            whenReleased = null;
            goOn.run();
        }
    }

    /** A slot for the request at hand, as soon as there is one. */
    private Slot slot(int payloadBytes) {
        Slot slot = slots.take(Math.min(payloadBytes, Protocol.PIECE_BYTES));
        while (slot == null) {
            awaitRelease();
            slot = slots.take(Math.min(payloadBytes, Protocol.PIECE_BYTES));
        }
        progress++;
        return slot;
    }

    /**
     * Has a task begin before the next request does. Nobody promises clients an order of what they have in flight at once; but those who
     * rely on one, such as a write after a trim of the same bytes, get what they would get elsewhere.
     */
    private void perform(Slot slot, Export.Task task) {
        pipeline.perform(slot.number, task);
        begunBytes = BATCH_BYTES;
    }

    @Override
    public void next() {
        while (sender.unsentBytes() >= MOST_UNSENT_BYTES) {
            awaitRelease();
        }
        if (begunBytes >= BATCH_BYTES) {
            begunBytes = 0;
            FiberLoop.leaveUntil(goOn -> {
                paused = goOn;
                return true;
            });
        }
    }

    @Override
    public void read(long cookie, long offset, int length, boolean dontFragment) {
        begunBytes += length;
        Slot slot = slot(length);
        if (slot.replies.isPlain(length, dontFragment)) {
            slot.begin(cookie, offset, length, Slot.Then.READ);
            pipeline.read(slot.number, offset, slot.payload(length));
        } else {
            slot.begin(cookie, offset, length, Slot.Then.ANSWERED);
            perform(
                    slot,
                    queue ->
                            slot.replies.read(new DiskRequests(queue, failures), cookie, offset, length, dontFragment));
        }
    }

    @Override
    public void blockStatus(long cookie, long offset, long length, boolean one) {
        Slot slot = slot(StructuredReplies.STATUS_BYTES);
        slot.begin(cookie, offset, 0, Slot.Then.ANSWERED);
        perform(
                slot,
                queue -> slot.replies.blockStatus(new DiskRequests(queue, failures), cookie, offset, length, one));
    }

    @Override
    public void write(long cookie, long offset, int length, boolean durable) throws IOException {
        Slot slot = slot(length);
        slot.begin(cookie, offset, length, Slot.Then.CHANGE);
        slot.durable = durable;
        slot.what = "write";
        boolean taken = false;
        beingReceived = 1;
        try {
            if (length > Protocol.PIECE_BYTES) {
                writePieces(slot);
            } else {
                receive(slot.payload(length), length);
            }
            taken = true;
        } finally {
            beingReceived = 0;
            if (!taken) {
                release(slot);
            }
        }
        progress++;
        begunBytes += length;
        if (length > Protocol.PIECE_BYTES) {
            changed(slot);
        } else {
            pipeline.write(slot.number, offset, slot.payload(length));
        }
    }

    private void receive(MemorySegment payload, int length) throws IOException {
        if (length <= Protocol.SHORT_PAYLOAD_BYTES) {
            // With what is missing the next requests come.
            in.require(length);
        }
        in.receive(payload);
    }

    /** Longer than a slot: one piece after the other. */
    private void writePieces(Slot slot) throws IOException {
        slot.then = Slot.Then.PIECE;
        int done = 0;
        while (done < slot.length && slot.error == 0) {
            long at = slot.offset + done;
            MemorySegment piece = slot.payload(Protocol.pieceAt(at, slot.length - done));
            in.receive(piece);
            done += (int) piece.byteSize();
            beingReceived = 0;
            pipeline.write(slot.number, at, piece);
            FiberLoop.leaveUntil(goOn -> {
                whenWritten = goOn;
                return true;
            });
            beingReceived = 1;
        }
        in.skip(slot.length - done);
    }

    @Override
    public void writeZeroes(
            long cookie, long offset, long length, boolean mayUnmap, boolean onlyIfFast, boolean durable) {
        Slot slot = slot(0);
        slot.begin(cookie, offset, 0, Slot.Then.CHANGE);
        slot.durable = durable;
        slot.what = "write of zeros";
        perform(
                slot,
                queue -> slot.error =
                        new DiskRequests(queue, failures).writeZeroes(offset, length, mayUnmap, onlyIfFast));
    }

    @Override
    public void trim(long cookie, long offset, long length, boolean durable) {
        Slot slot = slot(0);
        slot.begin(cookie, offset, 0, Slot.Then.CHANGE);
        slot.durable = durable;
        slot.what = "trim";
        perform(slot, queue -> slot.error = new DiskRequests(queue, failures).trim(offset, length));
    }

    @Override
    public void done(long cookie, boolean durable) throws IOException {
        Slot slot = slot(0);
        slot.begin(cookie, 0, 0, Slot.Then.CHANGE);
        slot.durable = durable;
        changed(slot);
    }

    @Override
    public void error(long cookie, int error, String message) throws IOException {
        Slot slot = slot(0);
        slot.begin(cookie, 0, 0, Slot.Then.ANSWERED);
        slot.replies.error(cookie, error, message);
        sender.add(slot);
    }

    private void completed(long token, @Nullable Throwable failure) {
        progress++;
        try {
            if (token == FLUSH) {
                flushed(failure);
            } else {
                completed(slots.get((int) token), failure);
            }
        } catch (IOException e) {
            throw new IllegalStateException("a short reply has room in its slot", e);
        }
    }

    private void completed(Slot slot, @Nullable Throwable failure) throws IOException {
        switch (slot.then) {
            case READ -> {
                int error = failure == null ? 0 : failures.failed("read", slot.offset, slot.length, failure);
                slot.replies.plainDone(slot.cookie, slot.offset, slot.length, error);
                sender.add(slot);
            }
            case CHANGE -> {
                if (failure != null) {
                    slot.error = failures.failed(slot.what, slot.offset, slot.length, failure);
                }
                changed(slot);
            }
            case ANSWERED -> {
                if (failure != null) {
                    if (!(failure instanceof IOException)) {
                        failures.failed("an answer", failure);
                    }
                    // The reply may have begun and cannot be ended: the protocol has no way left but to hang up.
                    sender.lose();
                }
                sender.add(slot);
            }
            case PIECE -> {
                if (failure != null) {
                    slot.error = failures.failed(slot.what, slot.offset, slot.length, failure);
                }
                Runnable goOn = whenWritten;
                whenWritten = null;
                if (goOn != null) {
                    goOn.run();
                }
            }
        }
    }

    /** A change is done, or has failed. */
    private void changed(Slot slot) throws IOException {
        if (slot.error != 0) {
            String message = slot.error == Protocol.ENOTSUP ? Replies.zeroesFailed(slot.error) : slot.what + " failed";
            slot.replies.error(slot.cookie, slot.error, message);
            sender.add(slot);
        } else if (slot.durable) {
            owed.add(slot);
        } else {
            Replies.simple(slot.out, slot.cookie, 0);
            sender.add(slot);
        }
    }

    /** Begins a flush if somebody waits for one that has not begun. */
    private boolean payDebts() {
        if (flushing || owed.isEmpty()) {
            return false;
        }
        flushing = true;
        paying.addAll(owed);
        owed.clear();
        pipeline.flush(FLUSH);
        return true;
    }

    private void flushed(@Nullable Throwable failure) {
        int error = failure == null ? 0 : failures.failed("flush", failure);
        flushing = false;
        for (Slot slot : paying) {
            Replies.simple(slot.out, slot.cookie, error);
            sender.add(slot);
        }
        paying.clear();
    }
}
