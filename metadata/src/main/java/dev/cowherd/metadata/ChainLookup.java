package dev.cowherd.metadata;

import dev.cowherd.metadata.Extent.Compressed;
import dev.cowherd.metadata.Extent.Data;
import dev.cowherd.metadata.Extent.Zero;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One queue's way into the maps of a chain: it asks the shared layers in order, from the top down, and names the queue's own
 * handles in its answers. What it has to load it reads by those handles, on the calling thread.
 *
 * <p>Used by one thread at a time; any number of look-ups work on the same layers at once.
 */
public final class ChainLookup {
    /** Bytes that the scratch segment must have: an L2 slice fits. */
    public static final int SCRATCH_BYTES = 4096;

    private final LayerMap[] layers;
    private final LayerHandles[] handles;
    private final MemorySegment scratch;
    private final Run run = new Run();

    /**
     * Creates the look-up of one queue.
     *
     * @param layers the chain, top first; shared
     * @param handles the queue's handles, one for each layer
     * @param scratch a native segment of {@link #SCRATCH_BYTES} or more for this look-up alone
     */
    public ChainLookup(List<LayerMap> layers, List<LayerHandles> handles, MemorySegment scratch) {
        if (layers.isEmpty() || layers.size() != handles.size() || scratch.byteSize() < SCRATCH_BYTES) {
            throw new IllegalArgumentException(
                    layers.size() + " layers, " + handles.size() + " handles, scratch " + scratch.byteSize());
        }
        this.layers = layers.toArray(LayerMap[]::new);
        this.handles = handles.toArray(LayerHandles[]::new);
        this.scratch = scratch;
    }

    /**
     * Where guest bytes are: the first extent of a run. Neighbours that lie side by side in one file are one extent, as far as
     * the run goes.
     *
     * @param offset guest offset in bytes, 0 or more
     * @param length bytes, more than zero; the run must end within the top layer's size
     * @return the extent that starts at the offset
     * @throws IOException if a table cannot be read or is corrupt; the exception names the entry
     */
    public Extent map(long offset, long length) throws IOException {
        Extent extent = map(offset, length, false);
        if (extent == null) {
            throw new IllegalStateException("a look-up that loads tables always answers");
        }
        return extent;
    }

    /**
     * The same, if the tables in memory say it; reads nothing from any file.
     *
     * @param offset guest offset in bytes, 0 or more
     * @param length bytes, more than zero; the run must end within the top layer's size
     * @return the extent that starts at the offset, or null if a table would have to be read
     * @throws IOException if an entry is corrupt
     */
    public @Nullable Extent mapLoaded(long offset, long length) throws IOException {
        return map(offset, length, true);
    }

    private @Nullable Extent map(long offset, long length, boolean loadedOnly) throws IOException {
        run.exact = false;
        run.loadedOnly = loadedOnly;
        long left = length;
        for (int depth = 0; depth < layers.length; depth++) {
            LayerMap layer = layers[depth];
            long below = layer.sizeBytes() - offset;
            if (below <= 0) {
                return new Zero(left);
            }
            left = Math.min(left, below);
            if (!(layer instanceof ImageMap image)) {
                return new Data(handles[depth].file(), offset, left);
            }
            image.locate(offset, left, handles[depth], scratch, run);
            left = run.length;
            if (left == 0) {
                return null;
            }
            switch (run.kind) {
                case UNALLOCATED, UNALLOCATED_PLACED -> {}
                case ZERO, ZERO_ALLOCATED -> {
                    return new Zero(left);
                }
                case DATA -> {
                    return new Data(handles[depth].guestData(), run.hostOffset, left);
                }
                case COMPRESSED -> {
                    return new Compressed(
                            depth,
                            handles[depth].file(),
                            run.hostOffset,
                            run.compressedBytes,
                            run.offsetInCluster,
                            left);
                }
            }
        }
        return new Zero(left);
    }

    /**
     * Which layer has guest bytes and what it says of them: the first run of a stretch.
     *
     * @param offset guest offset in bytes, 0 or more
     * @param length bytes, more than zero; the stretch must end within the top layer's size
     * @return the run that starts at the offset
     * @throws IOException if a table cannot be read or is corrupt; the exception names the entry
     */
    public Region region(long offset, long length) throws IOException {
        run.exact = true;
        run.loadedOnly = false;
        RunKind kind = RunKind.UNALLOCATED;
        long hostOffset = -1;
        long left = length;
        int depth = 0;
        for (; depth < layers.length; depth++) {
            LayerMap layer = layers[depth];
            long below = layer.sizeBytes() - offset;
            if (below <= 0) {
                break;
            }
            left = Math.min(left, below);
            if (!(layer instanceof ImageMap image)) {
                return new Region(depth, RunKind.DATA, offset, left);
            }
            image.locate(offset, left, handles[depth], scratch, run);
            left = run.length;
            kind = run.kind;
            hostOffset = kind.hasPlace() ? run.hostOffset : -1;
            if (!kind.isUnallocated()) {
                return new Region(depth, kind, hostOffset, left);
            }
        }
        // No layer has them, or the next one ends before them: the last one asked speaks.
        return new Region(depth - 1, kind, hostOffset, left);
    }
}
