package dev.cowherd.metadata;

import dev.cowherd.format.CorruptImageException;
import dev.cowherd.format.Geometry;
import dev.cowherd.format.Header;
import dev.cowherd.format.RefcountTableEntry;
import dev.cowherd.format.Snapshot;
import dev.cowherd.storage.Storage;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The write half of an image's map: where writes go, what becomes zeros, and in which order all that reaches the disk. Belongs to one
 * {@link ImageMap}, which goes on answering look-ups.
 *
 * <p>Thread-safe. Every queue brings its own handles and scratch, and announces each request to {@link #epochs()}: a cluster that a
 * request may have seen is not reused before the request has ended.
 */
public final class WritableImage {
    private static final ValueLayout.OfLong BIG_ENDIAN =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

    /** With bitmaps, a step erases no more than this: the bits of all that is left would be looked at again for each step. */
    private static final long MARKED_AT_ONCE_BYTES = 1L << 30;

    final ImageMap map;
    final ImageHeader header;
    final Allocator allocator;
    final FlushProcedure flush;
    final ReuseGate gate;
    final Health health;
    final CorruptMark corruption;
    final Epochs epochs = new Epochs();
    private final MapWriter writer;
    private final MapEraser eraser;
    private final SpaceAhead spaceAhead;
    private @Nullable Bitmaps bitmaps;

    private WritableImage(
            ImageMap map,
            Header header,
            Allocator allocator,
            ImageHeader imageHeader,
            Health health,
            long fileBytes,
            Settings settings) {
        this.map = map;
        this.spaceAhead = new SpaceAhead(fileBytes);
        this.header = imageHeader;
        this.allocator = allocator;
        this.health = health;
        this.corruption = new CorruptMark(imageHeader, health);
        this.gate = new ReuseGate(epochs, allocator, header.clusterBits(), settings.punchHoles);
        this.flush = new FlushProcedure(map, imageHeader, allocator, gate, health, settings.cacheBytes, settings.waits);
        InFlight inFlight = new InFlight(settings.waits);
        Ownership ownership = new Ownership(map, allocator, flush, epochs, settings.waits);
        KeptClusters kept = new KeptClusters(epochs);
        this.writer = new MapWriter(map, allocator, flush, ownership, epochs, inFlight, kept);
        this.eraser = new MapEraser(map, flush, ownership, epochs, inFlight, kept);
    }

    /**
     * How to write.
     *
     * @param punchHoles whether freed clusters give their space back to the host
     * @param cacheBytes the budget of the L2 cache in bytes; a part of it may be dirty before a flush round makes room
     * @param waits how a queue waits for another
     * @param warnings hears, in one line each, of what the first write makes out of date
     */
    public record Settings(boolean punchHoles, long cacheBytes, Waits waits, Consumer<String> warnings) {}

    /**
     * Makes an image writable.
     *
     * @param file the image file, writable
     * @param map its map, of the current state
     * @param header its header
     * @param snapshots its internal snapshots
     * @param settings how
     * @return the write half
     * @throws IOException if the refcount table or a snapshot's L1 table cannot be read or is corrupt
     */
    public static WritableImage open(
            Storage file, ImageMap map, Header header, List<Snapshot> snapshots, Settings settings) throws IOException {
        Geometry geometry = header.geometry();
        Health health = new Health(map.path());
        ImageHeader imageHeader = new ImageHeader(header, health, settings.waits);
        long[] table = readWords(file, header.refcountTableOffset(), tableEntries(header));
        long fileBytes = file.sizeBytes();
        Allocator allocator = new Allocator(
                map.path(),
                geometry,
                settings.waits,
                () -> imageHeader.current().refcountTableOffset(),
                new RefcountStore(geometry, table),
                PlacesReader.read(file, map, header, snapshots, table),
                fileBytes);
        WritableImage image = new WritableImage(map, header, allocator, imageHeader, health, fileBytes, settings);
        image.bitmaps = Bitmaps.open(image, file, settings.waits, settings.warnings);
        return image;
    }

    /** Reads a table of words that is known to lie within the file. */
    static long[] readWords(Storage file, long offset, int entries) throws IOException {
        long[] words = new long[entries];
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment bytes = arena.allocate(Math.max(Long.BYTES, (long) entries * Long.BYTES), 4096);
            file.read(offset, bytes.asSlice(0, (long) entries * Long.BYTES));
            MemorySegment.copy(bytes, BIG_ENDIAN, 0, words, 0, entries);
        }
        return words;
    }

    /**
     * Tells which requests are in flight.
     *
     * @return shared by all queues of the disk
     */
    public Epochs epochs() {
        return epochs;
    }

    /**
     * The header as it is on disk now.
     *
     * @return the current header
     */
    public Header header() {
        return header.current();
    }

    /**
     * Says where the first stretch of a write goes. Unless the step is in place, {@link #commitWrite} or {@link #abortWrite} must
     * follow, on the same thread and before it asks for anything else.
     *
     * @param at guest offset in bytes
     * @param length bytes, more than zero; the range ends within the disk
     * @param handles the queue's handles
     * @param scratch as for {@link ChainLookup}
     * @param step is filled
     * @throws WriteStoppedException if the image takes no writes any more
     * @throws IOException if a table cannot be read or is corrupt, or no cluster can be had
     */
    public void prepareWrite(long at, long length, LayerHandles handles, MemorySegment scratch, WriteStep step)
            throws IOException {
        prepareEntries(at, length, handles, scratch, step);
        if (!step.isInPlace() && handles.data() == null) {
            spaceAhead.taken(handles.file(), step.hostOffset() + step.end() - step.start());
        }
    }

    /** The same for clusters that are not going to be written now, so that nobody has to see to the host's space ahead of them. */
    void prepareEntries(long at, long length, LayerHandles handles, MemorySegment scratch, WriteStep step)
            throws IOException {
        health.requireSound();
        try {
            beforeChange(at, length, handles);
            writer.prepare(at, length, handles, scratch, step);
        } catch (CorruptImageException e) {
            throw corruption.mark(e, handles);
        }
    }

    /**
     * Whether a write goes to one place where the image has its bytes already, as far as the tables in memory say: then nothing but the
     * bytes has to be written. Waits for nothing and reads nothing.
     *
     * @param at guest offset in bytes
     * @param length bytes, more than zero; the range ends within the disk
     * @param handles the queue's handles
     * @param step is filled where the answer is yes: in place, all of the range
     * @return false if {@link #prepareWrite} has to be asked
     * @throws IOException if an entry is corrupt
     */
    public boolean isInPlace(long at, long length, LayerHandles handles, WriteStep step) throws IOException {
        // The slice is owned, so a write was prepared since the image was opened, and the header with it.
        if (health.isStopped()
                || (bitmaps != null && !bitmaps.isMarked())
                || !writer.isInPlace(at, length, handles, step)) {
            return false;
        }
        if (bitmaps != null) {
            bitmaps.mark(at, length);
        }
        return true;
    }

    private void beforeChange(long at, long length, LayerHandles handles) throws IOException {
        header.prepareForWriting(handles.file(), bitmaps != null);
        if (bitmaps != null) {
            bitmaps.beforeChange(at, length, handles.file());
        }
    }

    /**
     * Makes the map point at what the step's bytes were written to.
     *
     * @param step an allocation whose bytes are on the host
     * @param handles the queue's handles
     * @param scratch as for {@link ChainLookup}
     * @throws IOException if a table cannot be read; the step must be aborted then
     */
    public void commitWrite(WriteStep step, LayerHandles handles, MemorySegment scratch) throws IOException {
        try {
            writer.commit(step, handles, scratch);
        } catch (CorruptImageException e) {
            throw corruption.mark(e, handles);
        }
    }

    /**
     * Gives a step's clusters back: the map stays as it was. Does nothing after a commit.
     *
     * @param step a step
     * @param handles the queue's handles
     * @throws IOException if a refcount cannot be read: the clusters stay counted, which leaks them
     */
    public void abortWrite(WriteStep step, LayerHandles handles) throws IOException {
        corruption.guard(handles, () -> writer.abort(step, handles));
    }

    /**
     * Makes the first stretch of a range read as zeros.
     *
     * @param at guest offset in bytes
     * @param length bytes, more than zero; the range ends within the disk
     * @param mayUnmap whether host clusters may be given back
     * @param belowBytes where the layers below end: past this, what this layer does not have reads as zeros
     * @param handles the queue's handles
     * @param scratch as for {@link ChainLookup}
     * @param step is filled: what was done, or is left to do
     * @throws IOException as for {@link #prepareWrite}
     */
    public void zero(
            long at,
            long length,
            boolean mayUnmap,
            long belowBytes,
            LayerHandles handles,
            MemorySegment scratch,
            EraseStep step)
            throws IOException {
        erase(
                at,
                length,
                mayUnmap ? MapEraser.Mode.ZERO_MAY_UNMAP : MapEraser.Mode.ZERO_KEEP,
                belowBytes,
                handles,
                scratch,
                step);
    }

    /**
     * Forgets the first stretch of a range: whole clusters are given back and read as zeros; parts of clusters, and what the format
     * cannot forget without showing something old, stay as they are.
     *
     * @param at guest offset in bytes
     * @param length bytes, more than zero; the range ends within the disk
     * @param belowBytes as for {@link #zero}
     * @param handles the queue's handles
     * @param scratch as for {@link ChainLookup}
     * @param step is filled: done, or the host's bytes are to be erased
     * @throws IOException as for {@link #prepareWrite}
     */
    public void discard(
            long at, long length, long belowBytes, LayerHandles handles, MemorySegment scratch, EraseStep step)
            throws IOException {
        erase(at, length, MapEraser.Mode.DISCARD, belowBytes, handles, scratch, step);
    }

    private void erase(
            long at,
            long length,
            MapEraser.Mode mode,
            long belowBytes,
            LayerHandles handles,
            MemorySegment scratch,
            EraseStep step)
            throws IOException {
        health.requireSound();
        try {
            long now = bitmaps == null ? length : Math.min(length, MARKED_AT_ONCE_BYTES - at % MARKED_AT_ONCE_BYTES);
            beforeChange(at, now, handles);
            eraser.erase(at, now, mode, belowBytes, handles, scratch, step);
        } catch (CorruptImageException e) {
            throw corruption.mark(e, handles);
        }
    }

    /**
     * The host's bytes of a step are zeros now, or could not be made so.
     *
     * @param step a step
     */
    public void finishErase(EraseStep step) {
        eraser.finish(step);
    }

    /**
     * Makes durable what every request wrote that had ended before the call, on any queue.
     *
     * @param handles the queue's handles
     * @throws WriteStoppedException if the image takes no writes any more
     * @throws IOException if the host fails; after a failed sync the image takes no writes any more
     */
    public void flush(LayerHandles handles) throws IOException {
        corruption.guard(handles, () -> flush.flush(handles));
    }

    /**
     * Whether flushes are to be expected, because there was one.
     *
     * @return false until the first
     */
    public boolean hasFlushed() {
        return flush.hasFlushed();
    }

    /**
     * Lets the host begin to make guest data durable, so that the next flush has less to wait for.
     *
     * @param handles the queue's handles
     * @param hostOffset where in the file that holds the guest's data, in bytes
     * @param length bytes, more than zero
     * @throws IOException if the host fails; the image takes no writes any more then, as after a failed sync
     */
    public void startWriteback(LayerHandles handles, long hostOffset, long length) throws IOException {
        flush.startWriteback(handles.guestData(), hostOffset, length);
    }

    /**
     * Makes room when much is dirty: to be called after a write, by a queue that has nothing prepared.
     *
     * @param handles the queue's handles
     * @throws IOException as for {@link #flush}
     */
    public void relieve(LayerHandles handles) throws IOException {
        if (flush.isTooMuchDirty()) {
            flush(handles);
        }
    }

    /**
     * Leaves nothing waiting: to be called when no request is in flight and none will come, before the image is closed.
     *
     * @param handles handles on the image
     * @throws IOException as for {@link #flush}
     */
    public void settle(LayerHandles handles) throws IOException {
        if (health.isStopped()) {
            // What was written since the last good flush may be lost: whoever closes the image must hear of it.
            if (header.isPreparedForWriting()) {
                health.requireSound();
            }
            return;
        }
        if (flush.isDirty() || !gate.isEmpty()) {
            flush(handles);
            // Clusters that the round let through have lower refcounts now.
            if (flush.isDirty()) {
                flush(handles);
            }
        } else if (header.isPreparedForWriting()) {
            flush(handles);
        }
    }

    /**
     * Leaves nothing waiting, and the bitmaps on disk as they are in memory: to be called when no request is in flight, before the image is
     * closed or its file copied.
     *
     * @param handles handles on the image
     * @throws IOException as for {@link #flush}; what was not stored of the bitmaps stays marked as out of date
     */
    public void finish(LayerHandles handles) throws IOException {
        settle(handles);
        if (bitmaps != null && !health.isStopped()) {
            Bitmaps stored = bitmaps;
            corruption.guard(handles, () -> stored.store(handles));
            settle(handles);
        }
    }

    /**
     * Gives the host's space back that was set aside ahead of writes: to be called when no request is in flight and none will come.
     *
     * @param handles handles on the image
     */
    public void releaseSpace(LayerHandles handles) {
        spaceAhead.release(handles.file());
    }

    /** The image's bitmaps, or null if it has none that are to be kept right. */
    @Nullable
    Bitmaps bitmaps() {
        return bitmaps;
    }

    /**
     * Why the disk's bitmaps do not let it have another size.
     *
     * @param newBytes guest bytes
     * @return one line, or null if they do
     */
    public @Nullable String whyBitmapsForbid(long newBytes) {
        return bitmaps == null ? null : bitmaps.whyNotResizable(newBytes);
    }

    /** References that nothing on disk has any more. */
    void drop(List<Allocator.Taken> runs) {
        long stamp = epochs.stamp();
        gate.add(runs.stream()
                .map(run -> new Dropped(run.cluster(), run.count(), stamp))
                .toList());
    }

    void prepareStructure(LayerHandles handles) throws IOException {
        health.requireSound();
        header.prepareForWriting(handles.file(), bitmaps != null);
        settle(handles);
    }

    /** Goes by what is on disk now: tables have moved. Nothing is in flight and nothing dirty. */
    void reload(List<Snapshot> snapshots, LayerHandles handles) throws IOException {
        Header now = header();
        afterSwitch(() -> {
            long[] table = readWords(handles.file(), now.refcountTableOffset(), tableEntries(now));
            map.reload(now, handles);
            allocator.reload(
                    new RefcountStore(now.geometry(), table),
                    PlacesReader.read(handles.file(), map, now, snapshots, table),
                    handles.file().sizeBytes());
        });
    }

    /** What brings memory in line with a header that is on disk already. */
    interface Alignment {
        void run() throws IOException;
    }

    void afterSwitch(Alignment alignment) throws IOException {
        try {
            alignment.run();
        } catch (IOException | RuntimeException | Error e) {
            health.stop("its tables have moved, and the new ones could not be read", e);
            throw e;
        }
    }

    private static int tableEntries(Header header) {
        return Math.toIntExact(
                ((long) header.refcountTableClusters() << header.clusterBits()) / RefcountTableEntry.BYTES);
    }
}
