package dev.cowherd.image;

import dev.cowherd.metadata.ChainLookup;
import dev.cowherd.metadata.Epochs;
import dev.cowherd.metadata.Extent;
import dev.cowherd.metadata.LayerHandles;
import dev.cowherd.metadata.WritableImage;
import dev.cowherd.storage.Storage;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

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
    private final List<LayerHandles> handles;
    private final LaneShare share;
    /** Handles and share are a request queue's. */
    private final boolean lane;

    private final Arena arena;
    private final ChainLookup lookup;
    private final ExtentReader reader;
    private final ScatteredReads scattered;
    private final StatusReader statusReader;
    private final @Nullable WritableImage image;
    /** Says that a request is under way which may know clusters; of a disk that nobody writes, nothing. */
    private final Epochs.@Nullable Slot epoch;

    private final @Nullable QueueWriter writer;
    private final Admission admission;
    private final AtomicBoolean released = new AtomicBoolean();
    private MemorySegment bounce = MemorySegment.NULL;

    private DiskQueue(Disk disk, List<LayerHandles> handles, LaneShare share, boolean lane, Arena arena) {
        this.disk = disk;
        this.admission = new Admission(disk.options().waits());
        this.handles = handles;
        this.arena = arena;
        MemorySegment scratch = arena.allocate(ChainLookup.SCRATCH_BYTES, 4096);
        this.lookup = new ChainLookup(disk.maps(), handles, scratch);
        this.share = share;
        this.lane = lane;
        this.reader = new ExtentReader(share.clusters());
        this.scattered = new ScatteredReads(
                lookup, reader, share.branches(), disk.options().waits());
        this.statusReader = new StatusReader(disk.layers(), handles, lookup);
        this.image = disk.layers().get(0).writable();
        this.epoch = image == null ? null : image.epochs().register();
        this.writer = disk.isWritable() ? writer(scratch) : null;
    }

    private QueueWriter writer(MemorySegment scratch) {
        LayerHandles top = handles.get(0);
        boolean punchHoles = disk.options().punchHoles();
        return image == null
                ? new RawWriter(top.file(), punchHoles, disk.options().format() == null, disk.rawStopped())
                : new Qcow2Writer(
                        disk, image, top, lookup, scratch, this::readNative, scattered, arena, punchHoles, share);
    }

    static DiskQueue open(Disk disk) throws IOException {
        List<LayerHandles> handles = disk.reopenLayers(Storage::reopen);
        Arena arena = Arena.ofShared();
        return new DiskQueue(disk, handles, LaneShare.of(disk, handles, arena, 1, null), false, arena);
    }

    /**
     * A queue with the handles and the share of somebody who closes them: one of the requests that a {@link RequestQueue} has in flight.
     */
    static DiskQueue lane(Disk disk, List<LayerHandles> handles, LaneShare share) {
        return new DiskQueue(disk, handles, share, true, Arena.ofShared());
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
        if (destination.isReadOnly()) {
            throw new IllegalArgumentException("the destination is read-only");
        }
        RequestEvent event = RequestEvent.start();
        enter();
        try {
            checkRange(offset, length);
            if (destination.isNative()) {
                readNative(offset, destination);
            } else {
                readBounced(offset, destination, length);
            }
        } finally {
            leave();
            if (event != null) {
                event.finish("read", offset, length);
            }
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
        enter();
        try {
            if (offset < 0 || offset >= disk.sizeBytes() || maxLength <= 0) {
                throw outside(offset, maxLength);
            }
            return statusReader.status(offset, Math.min(maxLength, disk.sizeBytes() - offset));
        } finally {
            leave();
        }
    }

    /**
     * Writes guest bytes. When this returns every later request, on any queue, sees them; durable they are after a {@link #flush}. Two
     * requests that write the same bytes at once leave, sector by sector, one or the other.
     *
     * @param offset guest offset in bytes, 0 or more
     * @param source is written whole; native memory is written from directly, a heap segment through a buffer of the queue
     * @throws IndexOutOfBoundsException if the request does not lie within the disk
     * @throws IllegalStateException if the queue or the disk is closed, or another thread is inside
     * @throws ReadOnlyDiskException if the disk was opened read-only
     * @throws dev.cowherd.metadata.WriteStoppedException if the image takes no writes any more
     * @throws IOException if the host fails; the range then holds old bytes or new ones, and nothing else changed
     */
    public void write(long offset, MemorySegment source) throws IOException {
        long length = source.byteSize();
        QueueWriter to = requireWriter();
        RequestEvent event = RequestEvent.start();
        enter();
        try {
            checkRange(offset, length);
            if (source.isNative()) {
                writeNative(to, offset, source);
            } else {
                writeBounced(to, offset, source, length);
            }
        } finally {
            leave();
            if (event != null) {
                event.finish("write", offset, length);
            }
        }
    }

    /**
     * Writes guest bytes from a buffer, from its position to its limit; the position is at the limit afterwards.
     *
     * @param offset guest offset in bytes, 0 or more
     * @param source its {@code remaining()} bytes are written; on an error its position stays
     * @throws IOException and the others as for {@link #write(long, MemorySegment)}
     */
    public void write(long offset, ByteBuffer source) throws IOException {
        write(offset, MemorySegment.ofBuffer(source));
        source.position(source.limit());
    }

    /**
     * Makes guest bytes zeros, without writing them where the format can say so.
     *
     * @param offset guest offset in bytes, 0 or more
     * @param length bytes, 0 or more
     * @param mode what may become of the host's space
     * @throws IOException and the others as for {@link #write(long, MemorySegment)}
     */
    public void writeZeroes(long offset, long length, ZeroMode mode) throws IOException {
        QueueWriter to = requireWriter();
        RequestEvent event = RequestEvent.start();
        enter();
        try {
            checkRange(offset, length);
            to.zero(offset, length, mode);
        } finally {
            leave();
            if (event != null) {
                event.finish("write zeroes", offset, length);
            }
        }
    }

    /**
     * Whether {@link #writeZeroes} would do with a change of tables: for clients that would rather write zeros themselves.
     *
     * @param offset guest offset in bytes, 0 or more
     * @param length bytes, 0 or more
     * @return false if some of the zeros would be written as data, or may have to be
     * @throws IOException if the disk was opened read-only, or a table cannot be read or is corrupt
     */
    public boolean zeroesAreFast(long offset, long length) throws IOException {
        QueueWriter to = requireWriter();
        enter();
        try {
            checkRange(offset, length);
            return to.zeroesAreFast(offset, length);
        } finally {
            leave();
        }
    }

    /**
     * Forgets guest bytes: whole clusters are given back and then read as zeros; parts of clusters may keep what they hold. Where
     * the image cannot forget without showing something old, nothing happens.
     *
     * @param offset guest offset in bytes, 0 or more
     * @param length bytes, 0 or more
     * @throws IOException and the others as for {@link #write(long, MemorySegment)}
     */
    public void discard(long offset, long length) throws IOException {
        QueueWriter to = requireWriter();
        RequestEvent event = RequestEvent.start();
        enter();
        try {
            checkRange(offset, length);
            to.discard(offset, length);
        } finally {
            leave();
            if (event != null) {
                event.finish("discard", offset, length);
            }
        }
    }

    /**
     * Makes durable what every request wrote that had ended before the call, on any queue of the disk. Flushes of several queues at
     * once share the work. On a disk opened read-only there is nothing to do.
     *
     * @throws IllegalStateException if the queue or the disk is closed, or another thread is inside
     * @throws dev.cowherd.metadata.WriteStoppedException if the image takes no writes any more
     * @throws IOException if the host fails; after a failed sync the image takes no writes any more
     */
    public void flush() throws IOException {
        RequestEvent event = RequestEvent.start();
        enter();
        try {
            if (writer != null) {
                writer.flush();
            }
        } finally {
            leave();
            if (event != null) {
                event.finish("flush", 0, 0);
            }
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
        if (image != null && epoch != null) {
            image.epochs().forget(epoch);
        }
        if (!lane) {
            closing.run(share.clusters()::close);
            Handles.close(handles, closing);
        }
        arena.close();
        disk.forget(this);
        closing.finish();
    }

    /** Lets no request in until {@link #resume}, and waits for the one in flight. */
    void pause() {
        admission.pause();
    }

    void resume() {
        admission.resume();
    }

    boolean isOpen() {
        return admission.isOpen();
    }

    private void enter() {
        admission.enter();
        if (epoch != null) {
            epoch.begin();
        }
    }

    private void leave() {
        if (epoch != null) {
            epoch.end();
        }
        admission.leave();
    }

    /**
     * Where a read finds all its bytes in one run, if the tables in memory say so and nobody has to be waited for. Then the request has
     * begun, and {@link #endPlain} must follow.
     */
    boolean beginPlainRead(long offset, MemorySegment destination, Place place) throws IOException {
        long length = destination.byteSize();
        if (destination.isReadOnly() || !enterPlain(offset, destination)) {
            return false;
        }
        boolean plain = false;
        try {
            if (lookup.mapLoaded(offset, length) instanceof Extent.Data data && data.length() == length) {
                place.set(data.storage(), data.hostOffset());
                plain = true;
            }
            return plain;
        } finally {
            if (!plain) {
                leave();
            }
        }
    }

    /** The same for a write that needs nothing but its bytes moved. */
    boolean beginPlainWrite(long offset, MemorySegment source, Place place) throws IOException {
        QueueWriter to = writer;
        if (to == null || !enterPlain(offset, source)) {
            return false;
        }
        boolean plain = false;
        try {
            plain = (disk.options().detectZeroes() == DetectZeroes.OFF || !ZeroScan.isZero(source))
                    && to.isPlain(offset, source, place);
            return plain;
        } finally {
            if (!plain) {
                leave();
            }
        }
    }

    private boolean enterPlain(long offset, MemorySegment bytes) {
        long length = bytes.byteSize();
        if (length == 0 || !bytes.isNative() || !admission.tryEnter()) {
            return false;
        }
        // The size only now: it may have been another before a pause that ended just now.
        if (offset < 0 || length > disk.sizeBytes() - offset) {
            admission.leave();
            return false;
        }
        if (epoch != null) {
            epoch.begin();
        }
        return true;
    }

    /** The transfer of a request that began the plain way has ended, or did not come about. */
    void endPlain() {
        leave();
    }

    private QueueWriter requireWriter() throws ReadOnlyDiskException {
        if (writer == null) {
            throw new ReadOnlyDiskException(disk.layers().get(0).fileName());
        }
        return writer;
    }

    private void writeNative(QueueWriter to, long offset, MemorySegment source) throws IOException {
        DetectZeroes detect = disk.options().detectZeroes();
        if (detect != DetectZeroes.OFF && ZeroScan.isZero(source)) {
            to.zero(
                    offset,
                    source.byteSize(),
                    detect == DetectZeroes.UNMAP ? ZeroMode.MAY_UNMAP : ZeroMode.KEEP_ALLOCATED);
        } else {
            to.write(offset, source);
        }
    }

    private void writeBounced(QueueWriter to, long offset, MemorySegment source, long length) throws IOException {
        MemorySegment buffer = bounce();
        for (long done = 0; done < length; ) {
            long step = Math.min(length - done, buffer.byteSize());
            MemorySegment.copy(source, done, buffer, 0, step);
            writeNative(to, offset + done, buffer.asSlice(0, step));
            done += step;
        }
    }

    private MemorySegment bounce() {
        if (bounce.byteSize() == 0) {
            bounce = arena.allocate(BOUNCE_BYTES, 4096);
        }
        return bounce;
    }

    private void readNative(long offset, MemorySegment destination) throws IOException {
        long length = destination.byteSize();
        if (length == 0) {
            return;
        }
        Extent extent = lookup.map(offset, length);
        if (extent.length() < length) {
            scattered.read(extent, offset, destination);
        } else if (extent instanceof Extent.Data data) {
            // The shortest way: what the compiler inlines ends a few calls further down, and the call must be within.
            ExtentReader.readData(data.storage(), data.hostOffset(), destination);
        } else {
            reader.read(extent, destination);
        }
    }

    private void readBounced(long offset, MemorySegment destination, long length) throws IOException {
        MemorySegment buffer = bounce();
        for (long done = 0; done < length; ) {
            long step = Math.min(length - done, buffer.byteSize());
            readNative(offset + done, buffer.asSlice(0, step));
            MemorySegment.copy(buffer, 0, destination, done, step);
            done += step;
        }
    }

    /** Asked inside only: the size may change while a request waits to be let in. */
    private void checkRange(long offset, long length) {
        if (offset < 0 || length > disk.sizeBytes() - offset) {
            throw outside(offset, length);
        }
    }

    private IndexOutOfBoundsException outside(long offset, long length) {
        return new IndexOutOfBoundsException(
                length + " bytes at offset " + offset + " of a disk of " + disk.sizeBytes() + " bytes");
    }
}
