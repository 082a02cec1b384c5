package dev.cowherd.metadata;

/** What one layer of a chain knows of where its guest bytes are. Shared by all queues; thread-safe. */
public sealed interface LayerMap permits RawMap, ImageMap {
    /**
     * The size of the disk that the layer holds.
     *
     * @return guest bytes
     */
    long sizeBytes();
}
