package dev.cowherd.image;

import dev.cowherd.metadata.ChainLookup;
import dev.cowherd.metadata.LayerHandles;
import dev.cowherd.metadata.Region;
import java.io.IOException;
import java.util.List;

/** Answers a queue's questions about allocation, in the terms of {@code qemu-img map}. */
final class StatusReader {
    private final List<Layer> layers;
    private final ChainLookup lookup;

    StatusReader(List<Layer> layers, List<LayerHandles> handles, ChainLookup lookup) {
        this.layers = layers;
        this.lookup = lookup;
    }

    BlockStatus status(long offset, long length) throws IOException {
        Region region = lookup.region(offset, length);
        return new BlockStatus(
                offset,
                region.length(),
                region.depth(),
                true,
                false,
                true,
                false,
                region.hostOffset(),
                layers.get(region.depth()).fileName());
    }
}
