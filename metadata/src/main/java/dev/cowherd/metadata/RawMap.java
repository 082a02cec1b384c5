package dev.cowherd.metadata;

/** The map of a raw layer: every guest byte is at its own offset. It is always the last layer. Thread-safe. */
public final class RawMap implements LayerMap {
    private volatile long sizeBytes;

    /**
     * Creates the map of a file.
     *
     * @param sizeBytes the size of the file in bytes
     */
    public RawMap(long sizeBytes) {
        this.sizeBytes = sizeBytes;
    }

    @Override
    public long sizeBytes() {
        return sizeBytes;
    }

    /**
     * The file has another size. No request is in flight.
     *
     * @param newBytes the size of the file in bytes
     */
    public void resized(long newBytes) {
        sizeBytes = newBytes;
    }
}
