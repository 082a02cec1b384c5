package dev.cowherd.nbd;

import dev.cowherd.storage.fiber.FiberLoop;
import dev.cowherd.storage.ring.RingDescriptor;
import dev.cowherd.storage.ring.SocketRequests;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Replies on their way to a client by the ring: all that are ready leave in one request of the ring, from where they lie; while it is
 * under way the next ones gather. Between the parts of a reply that leaves in several nothing else is sent. Used by one thread.
 */
final class Sender {
    private static final int MOST_PIECES = 1024;

    private final FiberLoop loop;
    private final RingDescriptor socket;
    private final SocketRequests requests;
    private final Consumer<Slot> whenSent;
    private final Runnable whenLost;
    private final ArrayDeque<Slot> ready = new ArrayDeque<>();
    private final List<Slot> leaving = new ArrayList<>();
    private MemorySegment[] pieces = new MemorySegment[64];
    /** Of the pieces that are leaving, those from here on have not left. */
    private int first;
    /** Whose answer has left in part. */
    private @Nullable Slot unfinished;

    private long unsentBytes;
    private boolean lost;

    /** One is told of each reply that has left or never will, the other once if the client is lost. */
    Sender(FiberLoop loop, RingDescriptor socket, Consumer<Slot> whenSent, Runnable whenLost) {
        this.loop = loop;
        this.socket = socket;
        this.requests = loop.sockets(this::completed);
        this.whenSent = whenSent;
        this.whenLost = whenLost;
    }

    /** A reply, or the last part of one, is complete. */
    void add(Slot slot) {
        unsentBytes += slot.out.pendingBytes();
        ready.add(slot);
    }

    /** Of the replies that are complete, those parts included that are leaving. */
    long unsentBytes() {
        return unsentBytes;
    }

    /** Called on a fiber: comes back when what the slot holds has been sent. */
    void sendPart(Slot slot) throws IOException {
        FiberLoop.leaveUntil(goOn -> {
            slot.partSent = goOn;
            ready.add(slot);
            return true;
        });
        if (lost) {
            throw new IOException("the client is gone");
        }
    }

    /** Nothing is sent any more; what is ready counts as sent. */
    void lose() {
        if (!lost) {
            lost = true;
            whenLost.run();
        }
    }

    /** Hands the ring what is ready, unless it still has the last. */
    void push() {
        if (!leaving.isEmpty() || ready.isEmpty()) {
            return;
        }
        gather();
        while (lost && !leaving.isEmpty()) {
            settle();
            gather();
        }
        if (!leaving.isEmpty()) {
            first = 0;
            try {
                send();
            } catch (IOException e) {
                loop.fail(e);
                lose();
                settle();
            }
        }
    }

    private void gather() {
        Slot only = unfinished;
        if (only != null) {
            if (ready.remove(only)) {
                take(only);
            }
            return;
        }
        while (!ready.isEmpty() && leaving.size() < MOST_PIECES) {
            Slot slot = ready.remove();
            take(slot);
            if (slot.partSent != null) {
                return;
            }
        }
    }

    private void take(Slot slot) {
        if (leaving.size() == pieces.length) {
            pieces = Arrays.copyOf(pieces, pieces.length * 2);
        }
        pieces[leaving.size()] = slot.toSend();
        leaving.add(slot);
        unfinished = slot.partSent == null ? null : slot;
    }

    private void send() throws IOException {
        IOException failure = loop.failure().orElse(null);
        if (failure != null) {
            throw failure;
        }
        if (first > 0) {
            int left = leaving.size() - first;
            requests.sendv(socket, Arrays.copyOfRange(pieces, first, first + left), left, 0);
        } else if (leaving.size() == 1) {
            requests.send(socket, pieces[0], 0);
        } else {
            requests.sendv(socket, pieces, leaving.size(), 0);
        }
    }

    private void completed(long token, int result, int flags) {
        long left = result;
        while (left > 0 && first < leaving.size() && left >= pieces[first].byteSize()) {
            left -= pieces[first].byteSize();
            first++;
        }
        if (result <= 0) {
            lose();
        } else if (first < leaving.size()) {
            // Cut short, as a signal may do it.
            pieces[first] = pieces[first].asSlice(left);
            try {
                send();
                return;
            } catch (IOException e) {
                loop.fail(e);
                lose();
            }
        }
        settle();
    }

    /** What was leaving has left. */
    private void settle() {
        for (int i = 0; i < leaving.size(); i++) {
            Slot slot = leaving.get(i);
            Runnable goOn = slot.partSent;
            if (goOn == null) {
                unsentBytes -= slot.out.pendingBytes();
                whenSent.accept(slot);
            } else {
                slot.partSent = null;
                goOn.run();
            }
        }
        leaving.clear();
    }
}
