package dev.cowherd.metadata;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.List;

/**
 * Tells when every request that may still know an old mapping has ended. Each queue publishes, in a line of its own, the epoch in
 * which its request began; who unlinks a cluster takes a stamp; the cluster may be reused once every queue is idle or began its
 * request after that stamp.
 *
 * <p>Why it holds: a request publishes its epoch and only then looks at the map; who unlinks changes the map and only then looks at
 * the epochs. So either the request sees the new mapping, or the other sees the request. Both sides have a full fence between
 * their store and their load.
 *
 * <p>Thread-safe. A request costs one store to its own line and a fence; nothing that queues share is written.
 */
public final class Epochs {
    private static final long IDLE = 0;
    private static final VarHandle NOW;
    private static final VarHandle SINCE;

    static {
        try {
            NOW = MethodHandles.lookup().findVarHandle(Epochs.class, "now", long.class);
            SINCE = MethodHandles.lookup().findVarHandle(Slot.class, "since", long.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    @SuppressWarnings("UnusedVariable") // by NOW
    private volatile long now = IDLE + 1;

    private volatile Slot[] slots = {};

    /** No queue is known yet. */
    public Epochs() {}

    /** One queue's line. Its methods are called by the queue's thread alone. */
    public static final class Slot {
        private final Epochs epochs;
        // A cache line on either side, so that a queue's store disturbs no other queue.
        private long before0, before1, before2, before3, before4, before5, before6, before7;

        @SuppressWarnings("UnusedVariable") // by SINCE
        private long since = IDLE;

        private long after0, after1, after2, after3, after4, after5, after6, after7;

        private Slot(Epochs epochs) {
            this.epochs = epochs;
        }

        /** A request begins: what is freed from now on stays where it is until {@link #end}. */
        public void begin() {
            SINCE.setOpaque(this, (long) NOW.getOpaque(epochs));
            VarHandle.fullFence();
        }

        /** The request has ended: it will touch no host byte any more. */
        public void end() {
            SINCE.setRelease(this, IDLE);
        }

        /** Keeps the padding from being called unused. */
        long padding() {
            return before0 + before1 + before2 + before3 + before4 + before5 + before6 + before7 + after0 + after1
                    + after2 + after3 + after4 + after5 + after6 + after7;
        }
    }

    /**
     * Takes a queue in.
     *
     * @return its line, idle
     */
    public synchronized Slot register() {
        Slot slot = new Slot(this);
        List<Slot> more = new ArrayList<>(List.of(slots));
        more.add(slot);
        slots = more.toArray(Slot[]::new);
        return slot;
    }

    /**
     * Lets a queue go.
     *
     * @param slot its line; idle
     */
    public synchronized void forget(Slot slot) {
        List<Slot> fewer = new ArrayList<>(List.of(slots));
        fewer.remove(slot);
        slots = fewer.toArray(Slot[]::new);
    }

    /**
     * The stamp of an unlink that every look-up from now on sees.
     *
     * @return to be compared with {@link #oldest()}
     */
    long stamp() {
        return (long) NOW.getAndAdd(this, 1L);
    }

    /** The epoch of the oldest request in flight; what has a lower stamp is known to nobody. Larger than any stamp if all are idle. */
    long oldest() {
        VarHandle.fullFence();
        long oldest = Long.MAX_VALUE;
        for (Slot slot : slots) {
            long since = (long) SINCE.getAcquire(slot);
            if (since != IDLE) {
                oldest = Math.min(oldest, since);
            }
        }
        return oldest;
    }
}
