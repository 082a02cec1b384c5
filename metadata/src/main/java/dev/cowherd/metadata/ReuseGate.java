package dev.cowherd.metadata;

import dev.cowherd.metadata.Allocator.Taken;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * Where freed clusters wait until nobody can touch them any more. A reference comes here once the metadata that dropped it is
 * durable; it is taken off the refcount, and a cluster without references becomes free, when every request that began before the
 * unlink has ended and the hole, if one is wanted, has been punched. So no late read, write or hole of one queue meets another
 * owner's bytes.
 *
 * <p>Thread-safe. Each reference is handled by one thread, without a lock while it punches.
 */
final class ReuseGate {
    private final Epochs epochs;
    private final Allocator allocator;
    private final int clusterBits;
    private final boolean punchHoles;
    private final Deque<Dropped> waiting = new ArrayDeque<>();

    ReuseGate(Epochs epochs, Allocator allocator, int clusterBits, boolean punchHoles) {
        this.epochs = epochs;
        this.allocator = allocator;
        this.clusterBits = clusterBits;
        this.punchHoles = punchHoles;
    }

    /** Takes references in whose unlink is durable. */
    synchronized void add(List<Dropped> durable) {
        waiting.addAll(durable);
    }

    synchronized boolean isEmpty() {
        return waiting.isEmpty();
    }

    /**
     * Lets through what may go.
     *
     * @throws IOException if a refcount cannot be read or a hole not be punched: what is left waits for the next time
     */
    void open(LayerHandles handles) throws IOException {
        List<Dropped> ready = takeReady();
        List<Taken> last = new ArrayList<>();
        try {
            while (!ready.isEmpty()) {
                // One at a time, so that what a failure leaves here was not counted off yet.
                Dropped dropped = ready.getLast();
                allocator.dropReferences(dropped.cluster(), 1, last, handles.file());
                ready.removeLast();
                if (dropped.count() > 1) {
                    ready.add(new Dropped(dropped.cluster() + 1, dropped.count() - 1, dropped.stamp()));
                }
            }
            while (!last.isEmpty()) {
                Taken run = last.getLast();
                if (punchHoles) {
                    handles.file().punchHole(run.cluster() << clusterBits, run.count() << clusterBits);
                }
                for (Taken rest = run; rest.count() > 0; ) {
                    allocator.giveBack(rest.cluster(), 1, handles.file());
                    rest = new Taken(rest.cluster() + 1, rest.count() - 1);
                    last.set(last.size() - 1, rest);
                }
                last.removeLast();
            }
        } finally {
            // Of these the last reference is not taken off yet; that it was the last does not change.
            for (Taken run : last) {
                ready.add(new Dropped(run.cluster(), run.count(), 0));
            }
            add(ready);
        }
    }

    private List<Dropped> takeReady() {
        List<Dropped> ready = new ArrayList<>();
        if (isEmpty()) {
            return ready;
        }
        long oldest = epochs.oldest();
        synchronized (this) {
            for (int left = waiting.size(); left > 0; left--) {
                Dropped dropped = waiting.remove();
                if (dropped.stamp() < oldest) {
                    ready.add(dropped);
                } else {
                    waiting.add(dropped);
                }
            }
        }
        return ready;
    }
}
