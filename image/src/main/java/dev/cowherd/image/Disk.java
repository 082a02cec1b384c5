package dev.cowherd.image;

import dev.cowherd.format.Snapshot;
import dev.cowherd.metadata.LayerHandles;
import dev.cowherd.metadata.LayerMap;
import dev.cowherd.metadata.Turn;
import dev.cowherd.metadata.WritableImage;
import dev.cowherd.storage.Storage;
import dev.cowherd.storage.fiber.FiberLoop;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.Path;
import java.time.Instant;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A virtual disk: an image with its whole backing chain, of which only the top layer is ever written.
 *
 * <p>The disk itself is shared: any number of threads may call its methods at once. Guest bytes are read through queues, one a
 * thread: {@link #openQueue()}. Queues share what is known of where the bytes are, and nothing else: no lock is held while one
 * of them reads or writes the host or decompresses.
 *
 * {@snippet :
 * try (Disk disk = Disk.open(Path.of("disk.qcow2"), DiskOptions.defaults());
 *         DiskQueue queue = disk.openQueue()) {
 *     ByteBuffer sector = ByteBuffer.allocate(512);
 *     queue.read(0, sector);
 * }
 * }
 */
public final class Disk implements AutoCloseable {
    private final List<Layer> layers;
    private final List<LayerMap> maps;
    private final DiskOptions options;
    private final Decoder.Factory decoders;
    /** Why a raw top layer takes no more writes. */
    private final AtomicReference<@Nullable IOException> rawStopped = new AtomicReference<>();

    /** Taken by who changes what queues rely on, and by who opens a queue. */
    private final Turn structure;

    private final Object lock = new Object();
    /** In the order in which they were opened, so that what is done with all of them can be replayed. */
    private final Set<DiskQueue> queues = new LinkedHashSet<>();

    private final Set<RequestQueue> requestQueues = new LinkedHashSet<>();
    private final Set<FutureQueue> futureQueues = new LinkedHashSet<>();
    private final AtomicBoolean said = new AtomicBoolean();
    private int opening;
    private boolean closed;

    Disk(List<Layer> layers, DiskOptions options, Decoder.Factory decoders) {
        this.options = options;
        this.decoders = decoders;
        this.layers = List.copyOf(layers);
        this.maps = layers.stream().map(Layer::map).toList();
        this.structure = new Turn(options.waits());
    }

    /**
     * Opens an image and, unless the options say otherwise, its backing chain.
     *
     * @param path the top image
     * @param options how
     * @return the disk; the caller closes it
     * @throws dev.cowherd.format.CorruptImageException if an image breaks the format's rules
     * @throws dev.cowherd.format.UnsupportedImageException if an image asks for what this engine does not do
     * @throws ChainException if a backing or data file is missing, not allowed, or makes the chain too deep or a loop
     * @throws dev.cowherd.storage.StorageException if the host refuses; another program's image lock is one reason
     * @throws IOException if reading fails otherwise
     */
    public static Disk open(Path path, DiskOptions options) throws IOException {
        DiskOptions engine = options.withFibers();
        return new Disk(ChainOpener.open(path, engine), engine, Decoder.Factory.CODECS);
    }

    /**
     * Opens a disk whose top image is open already. Backing and data files are looked for by the storage's name as if it were
     * the image's path.
     *
     * @param top the top image, without the options' filter; the disk owns it from now on, also if opening fails
     * @param options how
     * @return the disk; the caller closes it
     * @throws IOException as for {@link #open(Path, DiskOptions)}
     */
    public static Disk open(Storage top, DiskOptions options) throws IOException {
        DiskOptions engine = options.withFibers();
        return new Disk(ChainOpener.open(top, engine), engine, Decoder.Factory.CODECS);
    }

    /**
     * The size of the disk as the guest sees it.
     *
     * @return guest bytes
     */
    public long sizeBytes() {
        return maps.get(0).sizeBytes();
    }

    /**
     * Whether the disk may be written.
     *
     * @return true if it was opened so
     */
    public boolean isWritable() {
        return options.writable();
    }

    /**
     * The backing chain.
     *
     * @return the layers, the top one first
     */
    public List<Layer> layers() {
        return layers;
    }

    /**
     * Opens a queue: one thread's way to the guest's bytes, with its own handles on every file of the chain.
     *
     * @return the queue; the caller closes it, or closing the disk does
     * @throws IOException if the host refuses another handle; nothing stays open then
     * @throws IllegalStateException if the disk is closed
     */
    public DiskQueue openQueue() throws IOException {
        return opened(() -> DiskQueue.open(this));
    }

    /**
     * Opens a queue that takes requests without waiting for them, for the calling thread.
     *
     * @param depth how many requests may be in flight, 1 to {@link RequestQueue#MAX_DEPTH}
     * @return the queue; the same thread closes it
     * @throws IOException if the host refuses another handle, or {@link Engine#RING} was asked for and cannot be had
     * @throws IllegalStateException if the disk is closed
     */
    public RequestQueue openRequestQueue(int depth) throws IOException {
        return registered(RequestQueue.open(this, depth));
    }

    /**
     * Opens a queue on a loop of the calling thread, which may have other work on it, sockets say: the requests go to the kernel with
     * the loop's turns and get on in them, {@link RequestQueue#take} then hands completions over. The queue is closed before the loop.
     *
     * @param depth how many requests may be in flight, 1 to {@link RequestQueue#MAX_DEPTH}
     * @param loop the caller's, who turns it
     * @return the queue; the same thread closes it, on no fiber
     * @throws IOException if the host refuses another handle
     * @throws IllegalStateException if the disk is closed
     * @throws IllegalArgumentException if the disk was opened with {@link Engine#SYNC}
     */
    public RequestQueue openRequestQueue(int depth, FiberLoop loop) throws IOException {
        return registered(RequestQueue.open(this, depth, loop));
    }

    /**
     * Which engine moves the bytes of a {@link RequestQueue} here. Where {@link Engine#AUTO} cannot have the ring, the disk's warnings hear
     * why, once.
     *
     * @param depth how many requests the queue takes
     * @return {@link Engine#RING} or {@link Engine#SYNC}
     * @throws IOException if {@link Engine#RING} was asked for and cannot be had
     */
    public Engine queueEngine(int depth) throws IOException {
        return options.engine().forQueue(depth, this::sayOnce);
    }

    /**
     * Opens a queue with a thread of its own, for requests of any thread that are answered by futures.
     *
     * @param depth how many requests may be under way at once, 1 to {@link RequestQueue#MAX_DEPTH}
     * @return the queue; the caller closes it, or closing the disk does
     * @throws IOException as for {@link #openRequestQueue(int)}
     * @throws IllegalStateException if the disk is closed
     */
    public FutureQueue openFutureQueue(int depth) throws IOException {
        FutureQueue queue = FutureQueue.open(this, depth);
        synchronized (lock) {
            futureQueues.add(queue);
        }
        return queue;
    }

    private RequestQueue registered(RequestQueue queue) {
        synchronized (lock) {
            requestQueues.add(queue);
        }
        return queue;
    }

    /** A queue that shares its handles and compressed clusters with others. */
    DiskQueue openLane(Supplier<DiskQueue> lane) throws IOException {
        return opened(lane::get);
    }

    private DiskQueue opened(Change<DiskQueue> means) throws IOException {
        return whileOpen(() -> {
            settleMine();
            structure.take();
            try {
                DiskQueue queue = means.make();
                synchronized (lock) {
                    queues.add(queue);
                }
                return queue;
            } finally {
                structure.give();
            }
        });
    }

    /** Closing the disk waits until it is done. */
    private <T> T whileOpen(Change<T> opens) throws IOException {
        synchronized (lock) {
            refuseIfClosed();
            opening++;
        }
        try {
            return opens.make();
        } finally {
            synchronized (lock) {
                opening--;
                lock.notifyAll();
            }
        }
    }

    /**
     * Opens a read-only view with a position. It has a queue of its own inside, and its methods may be called by any thread;
     * they run one after the other.
     *
     * @return the channel; the caller closes it, or closing the disk does
     * @throws IOException as for {@link #openQueue()}
     * @throws IllegalStateException if the disk is closed
     */
    public SeekableByteChannel openChannel() throws IOException {
        return new DiskChannel(this, openQueue());
    }

    /** A change for which no request may be in flight. */
    private interface Change<T> {
        T make() throws IOException;
    }

    /**
     * Gives the disk another size. What it grows by reads as zeros; what it shrinks by is gone. Requests wait meanwhile; queues stay
     * open.
     *
     * @param newBytes guest bytes; for an image a multiple of 512
     * @throws IllegalArgumentException if the size is none
     * @throws ReadOnlyDiskException if the disk was opened read-only
     * @throws ChainException if the image cannot be resized, and why
     * @throws IOException if the host fails: the disk has its old size then, and may have lost what it was to shrink by
     */
    public void resize(long newBytes) throws IOException {
        resize(newBytes, Preallocation.OFF);
    }

    /**
     * The same, and takes the host's space for what the disk grows by. Requests wait until that is done.
     *
     * @param newBytes guest bytes as for {@link #resize(long)}
     * @param preallocation how much is taken; anything but {@link Preallocation#OFF} only if the disk grows
     * @throws java.io.InterruptedIOException if the thread is interrupted meanwhile; the disk has its old size then
     * @throws IOException and the others as for {@link #resize(long)}
     */
    public void resize(long newBytes, Preallocation preallocation) throws IOException {
        drained(() -> new Resize(this).to(newBytes, preallocation));
    }

    /**
     * The internal snapshots of the top layer, as they are now.
     *
     * @return in the order of the image's table
     */
    public List<Snapshot> snapshots() {
        return layers.get(0).snapshots();
    }

    /**
     * Takes an internal snapshot of the disk as it is. Requests wait meanwhile. It is durable, or not there at all, whatever happens.
     *
     * @param name its name; several snapshots may have the same
     * @return the snapshot
     * @throws ReadOnlyDiskException if the disk was opened read-only
     * @throws ChainException if the image cannot have snapshots
     * @throws IOException if the host fails; nothing has changed then
     */
    public Snapshot createSnapshot(String name) throws IOException {
        return drained(() -> new SnapshotKeeper(layers.get(0)).create(name, Instant.now()));
    }

    /**
     * Makes the disk what it was, its size included, when a snapshot was taken. Requests wait meanwhile.
     *
     * @param idOrName an id, or else a name
     * @throws ReadOnlyDiskException if the disk was opened read-only
     * @throws ChainException if there is no such snapshot
     * @throws IOException if the host fails; nothing has changed then
     */
    public void applySnapshot(String idOrName) throws IOException {
        drained(() -> new SnapshotKeeper(layers.get(0)).apply(idOrName));
    }

    /**
     * Deletes an internal snapshot. Requests wait meanwhile.
     *
     * @param idOrName an id, or else a name
     * @throws ReadOnlyDiskException if the disk was opened read-only
     * @throws ChainException if there is no such snapshot
     * @throws IOException if the host fails; nothing has changed then
     */
    public void deleteSnapshot(String idOrName) throws IOException {
        drained(() -> new SnapshotKeeper(layers.get(0)).delete(idOrName));
    }

    /**
     * Stands still: everything is durable, and requests wait until the answer is closed. For those who copy the files underneath.
     *
     * @return to be closed, by any thread
     * @throws IOException if the host fails; nothing stands still then
     */
    public Quiesced quiesce() throws IOException {
        List<DiskQueue> paused = drain();
        try {
            settle();
            return new Quiesced(() -> endDrain(paused));
        } catch (IOException | RuntimeException e) {
            endDrain(paused);
            throw e;
        }
    }

    private <T> T drained(Change<T> change) throws IOException {
        if (!isWritable()) {
            throw new ReadOnlyDiskException(layers.get(0).fileName());
        }
        List<DiskQueue> paused = drain();
        try {
            return change.make();
        } finally {
            endDrain(paused);
        }
    }

    /** Lets no request begin, and waits for those in flight. */
    private List<DiskQueue> drain() {
        settleMine();
        structure.take();
        List<DiskQueue> paused = List.of();
        try {
            synchronized (lock) {
                refuseIfClosed();
                paused = List.copyOf(queues);
            }
            paused.forEach(DiskQueue::pause);
            return paused;
        } catch (RuntimeException | Error e) {
            endDrain(paused);
            throw e;
        }
    }

    private void endDrain(List<DiskQueue> paused) {
        paused.forEach(DiskQueue::resume);
        structure.give();
    }

    /**
     * Closes the disk with all its queues and files. Requests in flight end first; new ones fail. What was written is durable then.
     * Does nothing the second time.
     *
     * @throws IOException if the host reports an error, also of what was still to be written; everything is closed all the same
     */
    @Override
    public void close() throws IOException {
        List<DiskQueue> open;
        List<FutureQueue> served;
        synchronized (lock) {
            if (closed) {
                return;
            }
            closed = true;
            awaitOpening();
            open = List.copyOf(queues);
            served = List.copyOf(futureQueues);
        }
        Closing closing = new Closing();
        served.forEach(queue -> closing.run(queue::close));
        myRequestQueues().forEach(queue -> closing.run(queue::close));
        structure.take();
        open.forEach(queue -> closing.run(queue::close));
        closing.run(this::settle);
        layers.forEach(layer -> closing.run(layer::close));
        closing.finish();
    }

    /** Nothing is in flight any more: brings what is dirty to the disk, and the space back that was waiting for old requests. */
    private void settle() throws IOException {
        Layer top = layers.get(0);
        WritableImage image = top.writable();
        if (image != null) {
            image.finish(new LayerHandles(top.storage(), top.dataStorage()));
        } else if (isWritable() && rawStopped.get() == null) {
            top.storage().sync();
        }
    }

    /** A queue that is being opened copies handles of the layers: they must not be closed under it. */
    private void awaitOpening() {
        boolean interrupted = false;
        while (opening > 0) {
            try {
                lock.wait();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** Before this thread waits for a turn whose holder may be waiting for the requests that only this thread can bring on. */
    private void settleMine() {
        myRequestQueues().forEach(RequestQueue::settle);
    }

    private List<RequestQueue> myRequestQueues() {
        synchronized (lock) {
            return requestQueues.stream().filter(RequestQueue::isMine).toList();
        }
    }

    /** Called by a queue of any kind that was closed. */
    void forget(AutoCloseable queue) {
        synchronized (lock) {
            queues.remove(queue);
            requestQueues.remove(queue);
            futureQueues.remove(queue);
        }
    }

    /**
     * How the disk was opened.
     *
     * @return the options
     */
    public DiskOptions options() {
        return options;
    }

    /** Past this guest offset no layer below the top has anything. */
    long belowBytes() {
        return layers.size() > 1 ? layers.get(1).sizeBytes() : 0;
    }

    /** A warning that concerns the whole disk. */
    void sayOnce(String warning) {
        if (said.compareAndSet(false, true)) {
            options.warnings().accept(warning);
        }
    }

    AtomicReference<@Nullable IOException> rawStopped() {
        return rawStopped;
    }

    List<LayerMap> maps() {
        return maps;
    }

    /** For one queue with so many requests in flight at most. */
    CompressedClusters compressedClusters(Arena arena, int requests) {
        return new CompressedClusters(layers, arena, decoders, options.waits(), requests);
    }

    /** Handles on every layer for one queue; all or none. */
    List<LayerHandles> reopenLayers(Handles.Reopening how) throws IOException {
        return whileOpen(() -> Handles.copy(layers, how));
    }

    private void refuseIfClosed() {
        if (closed) {
            throw new IllegalStateException(layers.get(0).fileName() + ": the disk is closed");
        }
    }
}
