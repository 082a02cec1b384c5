package dev.cowherd.image;

import dev.cowherd.metadata.ChainLookup;
import dev.cowherd.metadata.Extent;
import dev.cowherd.metadata.LayerHandles;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * One thread's way to a disk's bytes: it asks the map where they are, then moves them itself.
 *
 * <p>One thread at a time: a second thread inside is refused with {@link IllegalStateException}. Any number of queues of one disk
 * work at once, each with its own handles on the files. {@link #close()} may come from any thread; it waits for the request in
 * flight.
 */
public final class DiskQueue implements AutoCloseable {
    private static final int BOUNCE_BYTES = 256 << 10;

    private final Disk disk;
    private final long sizeBytes;
    private final List<LayerHandles> handles;
    private final Arena arena;
    private final ChainLookup lookup;
    private final ExtentReader reader;
    private final StatusReader statusReader;
    private final Admission admission = new Admission();
    private final AtomicBoolean released = new AtomicBoolean();
    private MemorySegment bounce = MemorySegment.NULL;

    private DiskQueue(Disk disk, List<LayerHandles> handles, Arena arena) {
        this.disk = disk;
        this.sizeBytes = disk.sizeBytes();
        this.handles = handles;
        this.arena = arena;
        this.lookup = new ChainLookup(disk.maps(), handles, arena.allocate(ChainLookup.SCRATCH_BYTES, 4096));
        this.reader = new ExtentReader(disk.layers(), arena, disk.decoders());
        this.statusReader = new StatusReader(disk.layers(), handles, lookup);
    }

    static DiskQueue open(Disk disk) throws IOException {
        List<LayerHandles> handles = disk.reopenLayers();
        return new DiskQueue(disk, handles, Arena.ofShared());
    }

    /**
     * Reads guest bytes.
     *
     * @param offset guest offset in bytes, 0 or more
     * @param destination is filled whole; native memory is read into directly, a heap segment through a buffer of the queue
     * @throws IndexOutOfBoundsException if the request does not lie within the disk
     * @throws IllegalStateException if the queue or the disk is closed, or another thread is inside
     * @throws dev.cowherd.format.CorruptImageException if a table or a compressed cluster on the way is corrupt
     * @throws IOException if the host fails; what the destination holds then is undefined
     */
    public void read(long offset, MemorySegment destination) throws IOException {
        long length = destination.byteSize();
        checkRange(offset, length);
        if (destination.isReadOnly()) {
            throw new IllegalArgumentException("the destination is read-only");
        }
        admission.enter();
        try {
            if (destination.isNative()) {
                readNative(offset, destination);
            } else {
                readBounced(offset, destination, length);
            }
        } finally {
            admission.leave();
        }
    }

    /**
     * Reads guest bytes into a buffer, from its position to its limit; the position is at the limit afterwards.
     *
     * @param offset guest offset in bytes, 0 or more
     * @param destination its {@code remaining()} bytes are filled; on an error its position stays
     * @throws java.nio.ReadOnlyBufferException if the buffer is read-only
     * @throws IOException and the others as for {@link #read(long, MemorySegment)}
     */
    public void read(long offset, ByteBuffer destination) throws IOException {
        if (destination.isReadOnly()) {
            throw new java.nio.ReadOnlyBufferException();
        }
        read(offset, MemorySegment.ofBuffer(destination));
        destination.position(destination.limit());
    }

    /**
     * What lies below a run of guest bytes: the longest run from an offset on that is one object of
     * {@code qemu-img map --output=json}.
     *
     * @param offset guest offset in bytes, 0 or more, below the disk's size
     * @param maxLength where to stop looking, in bytes from the offset, more than zero; may reach past the disk's end
     * @return the run that starts at the offset, at most {@code maxLength} long
     * @throws IndexOutOfBoundsException if the offset does not lie within the disk or the length is not positive
     * @throws IllegalStateException if the queue or the disk is closed, or another thread is inside
     * @throws IOException if a table cannot be read or is corrupt
     */
    public BlockStatus status(long offset, long maxLength) throws IOException {
        if (offset < 0 || offset >= sizeBytes || maxLength <= 0) {
            throw outside(offset, maxLength);
        }
        admission.enter();
        try {
            return statusReader.status(offset, Math.min(maxLength, sizeBytes - offset));
        } finally {
            admission.leave();
        }
    }

    /**
     * Gives the queue's handles and memory back, after the request in flight. Does nothing the second time.
     *
     * @throws IOException if the host reports an error on close; everything is given back all the same
     */
    @Override
    public void close() throws IOException {
        admission.close();
        if (!released.compareAndSet(false, true)) {
            return;
        }
        Closing closing = new Closing();
        closing.run(reader::close);
        for (LayerHandles layer : handles) {
            closing.run(layer.file()::close);
            if (layer.data() != null) {
                closing.run(layer.data()::close);
            }
        }
        arena.close();
        disk.forget(this);
        closing.finish();
    }

    boolean isOpen() {
        return admission.isOpen();
    }

    private void readNative(long offset, MemorySegment destination) throws IOException {
        long length = destination.byteSize();
        long done = 0;
        while (done < length) {
            Extent extent = lookup.map(offset + done, length - done);
            long step = extent.length();
            MemorySegment part = step == length ? destination : destination.asSlice(done, step);
            // Plain data first and by the shortest way: what the compiler inlines ends a few calls further down, and
            // the
            // system call must be within.
            if (extent instanceof Extent.Data data) {
                ExtentReader.readData(data.storage(), data.hostOffset(), part);
            } else {
                reader.read(extent, part);
            }
            done += step;
        }
    }

    private void readBounced(long offset, MemorySegment destination, long length) throws IOException {
        if (bounce.byteSize() == 0) {
            bounce = arena.allocate(BOUNCE_BYTES, 4096);
        }
        for (long done = 0; done < length; ) {
            long step = Math.min(length - done, bounce.byteSize());
            readNative(offset + done, bounce.asSlice(0, step));
            MemorySegment.copy(bounce, 0, destination, done, step);
            done += step;
        }
    }

    private void checkRange(long offset, long length) {
        if (offset < 0 || length > sizeBytes - offset) {
            throw outside(offset, length);
        }
    }

    private IndexOutOfBoundsException outside(long offset, long length) {
        return new IndexOutOfBoundsException(
                length + " bytes at offset " + offset + " of a disk of " + sizeBytes + " bytes");
    }
}
