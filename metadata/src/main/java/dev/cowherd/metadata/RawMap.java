package dev.cowherd.metadata;

/**
 * The map of a raw layer: every guest byte is at its own offset. It is always the last layer.
 *
 * @param sizeBytes the size of the file in bytes
 */
public record RawMap(long sizeBytes) implements LayerMap {}
