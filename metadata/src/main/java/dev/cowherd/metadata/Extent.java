package dev.cowherd.metadata;

import dev.cowherd.storage.Storage;

/**
 * A run of guest bytes that live in one place: the map's answer to "where are these bytes". It starts at the guest offset that
 * was asked for.
 */
public sealed interface Extent {
    /**
     * The length of the run.
     *
     * @return guest bytes, more than zero, at most what was asked for
     */
    long length();

    /**
     * Bytes that read as zeros and are stored nowhere.
     *
     * @param length guest bytes
     */
    record Zero(long length) implements Extent {}

    /**
     * Bytes stored as they are.
     *
     * @param storage the asking queue's own handle on the file that holds them
     * @param hostOffset where they start in it, in bytes; the file may end before the run does, the rest are zeros
     * @param length guest bytes, as many as host bytes
     */
    record Data(Storage storage, long hostOffset, long length) implements Extent {}

    /**
     * Bytes of one compressed cluster.
     *
     * @param depth the layer that holds it, 0 for the top: it knows the cluster's size and the kind of compression
     * @param storage the asking queue's own handle on the file that holds it
     * @param hostOffset where the compressed data starts in it, in bytes, of any alignment
     * @param compressedBytes how long it is at most; the stream may end before, and so may the file
     * @param offsetInCluster where in the decompressed cluster the run starts, in bytes
     * @param length guest bytes; the run does not leave the cluster
     */
    record Compressed(
            int depth, Storage storage, long hostOffset, int compressedBytes, int offsetInCluster, long length)
            implements Extent {}
}
