package dev.cowherd.metadata;

import dev.cowherd.storage.Storage;
import org.jspecify.annotations.Nullable;

/**
 * The map's answer to "where do these bytes go": the first stretch of a write. Filled by {@link WritableImage#prepareWrite}, kept and
 * reused by one queue.
 *
 * <p>In place: the bytes go to {@link #hostOffset()} and that is all. Else the stretch is an allocation: what lies between
 * {@link #start()} and {@link #end()} goes to {@link #hostOffset()}, the guest's bytes and, before and after them, what the guest
 * reads there now; then {@link WritableImage#commitWrite} makes the map point there, or {@link WritableImage#abortWrite} gives the place
 * back. One of the two must follow.
 */
public final class WriteStep {
    /** The clusters taken for this step; 0 if it uses clusters that are there. */
    long takenClusters;

    long takenFirst;
    /** Guest clusters whose entries change; 0 for a write in place. */
    int clusters;

    InFlight.@Nullable Range range;

    private @Nullable Storage storage;
    private long offset;
    private long length;
    private long start;
    private long end;
    private long hostOffset;

    /** Creates a step to be filled. */
    public WriteStep() {}

    void inPlace(Storage to, long at, long bytes, long host) {
        storage = to;
        offset = at;
        length = bytes;
        start = at;
        end = at + bytes;
        hostOffset = host;
        clusters = 0;
        takenClusters = 0;
        range = null;
    }

    void allocation(
            Storage to, long at, long bytes, long from, long until, long host, int entries, InFlight.Range mine) {
        storage = to;
        offset = at;
        length = bytes;
        start = from;
        end = until;
        hostOffset = host;
        clusters = entries;
        range = mine;
    }

    /**
     * Whether nothing but the bytes has to be written.
     *
     * @return true if neither commit nor abort follows
     */
    public boolean isInPlace() {
        return clusters == 0;
    }

    /**
     * The file that the bytes go to.
     *
     * @return the asking queue's own handle
     */
    public Storage storage() {
        Storage to = storage;
        if (to == null) {
            throw new IllegalStateException("the step was not filled");
        }
        return to;
    }

    /**
     * Where the guest's bytes begin.
     *
     * @return guest offset in bytes
     */
    public long offset() {
        return offset;
    }

    /**
     * How many of the guest's bytes this step takes.
     *
     * @return bytes, more than zero
     */
    public long length() {
        return length;
    }

    /**
     * Where the bytes to be written begin, the copied ones included.
     *
     * @return guest offset in bytes, at most {@link #offset()}
     */
    public long start() {
        return start;
    }

    /**
     * Where the bytes to be written end, the copied ones included; may lie past the disk's end, within its last cluster.
     *
     * @return guest offset in bytes
     */
    public long end() {
        return end;
    }

    /**
     * Where {@link #start()} goes.
     *
     * @return host offset in bytes
     */
    public long hostOffset() {
        return hostOffset;
    }
}
