package dev.cowherd.metadata;

import org.jspecify.annotations.Nullable;

/**
 * The map's answer to "make these bytes zeros" or "forget these bytes": what was done, or is to be done, with the first stretch.
 * Filled by {@link WritableImage}, kept and reused by one queue.
 */
public final class EraseStep {
    /** What to do with the stretch. */
    public enum Kind {
        /** Nothing any more. */
        DONE,
        /** Write zeros there, as any data: the map cannot say "zeros" for it. */
        WRITE_ZEROS,
        /** Make the host's bytes zeros; then {@link WritableImage#finishErase} must follow. */
        ERASE_HOST
    }

    InFlight.@Nullable Range range;

    private Kind kind = Kind.DONE;
    private long length;
    private long hostOffset;

    /** Creates a step to be filled. */
    public EraseStep() {}

    void done(long bytes) {
        kind = Kind.DONE;
        length = bytes;
    }

    void writeZeros(long bytes) {
        kind = Kind.WRITE_ZEROS;
        length = bytes;
    }

    void eraseHost(long bytes, long host) {
        kind = Kind.ERASE_HOST;
        length = bytes;
        hostOffset = host;
    }

    /**
     * What to do.
     *
     * @return the kind
     */
    public Kind kind() {
        return kind;
    }

    /**
     * How long the stretch is.
     *
     * @return guest bytes, more than zero
     */
    public long length() {
        return length;
    }

    /**
     * Where the bytes are, for {@link Kind#ERASE_HOST}.
     *
     * @return host offset in bytes in the file of the guest's data
     */
    public long hostOffset() {
        return hostOffset;
    }
}
