package dev.cowherd.image;

import dev.cowherd.metadata.Waits;
import dev.cowherd.storage.CacheMode;
import dev.cowherd.storage.Storage;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * How to open a disk. A value: no method changes it, each {@code with} method answers a changed copy. Thread-safe.
 */
public final class DiskOptions {
    /** The default budget of the L2 cache in bytes: enough for 256 GiB of 64 KiB clusters. */
    public static final long DEFAULT_SLICE_CACHE_BYTES = 32L << 20;

    /** The default for the most layers of a chain. */
    public static final int DEFAULT_MAX_CHAIN_DEPTH = 200;

    private static final DiskOptions DEFAULTS = new DiskOptions(new Settings());

    private final Settings settings;

    private DiskOptions(Settings settings) {
        this.settings = settings;
    }

    /** The fields, mutable only until the options that hold them leave their {@code with} method. */
    private static final class Settings implements Cloneable {
        private @Nullable ImageFormat format = null;
        private @Nullable String snapshot = null;
        private CacheMode cacheMode = CacheMode.WRITEBACK;
        private boolean forceShare = false;
        private boolean withoutBacking = false;
        private List<Path> backingFolders = List.of();
        private boolean unnamedBackingAsRaw = false;
        private int maxChainDepth = DEFAULT_MAX_CHAIN_DEPTH;
        private long sliceCacheBytes = DEFAULT_SLICE_CACHE_BYTES;
        private Consumer<String> warnings = warning -> {};
        private UnaryOperator<Storage> storageFilter = storage -> storage;
        private boolean writable = false;
        private boolean punchHoles = true;
        private DetectZeroes detectZeroes = DetectZeroes.OFF;
        private Waits waits = Waits.PARK;
        private Engine engine = Engine.AUTO;

        Settings copy() {
            try {
                return (Settings) clone();
            } catch (CloneNotSupportedException e) {
                throw new AssertionError(e);
            }
        }
    }

    /**
     * The defaults: format by magic, page cache, image locks, the whole chain, files beside the image only, no warnings.
     *
     * @return the options to start from
     */
    public static DiskOptions defaults() {
        return DEFAULTS;
    }

    /**
     * The top layer's format, or null to look for the QCOW2 magic: a file without it opens as raw, with a warning, because a guest
     * that can write its own first sector could otherwise turn a raw disk into a QCOW2 image.
     *
     * @return the top layer's format
     */
    public @Nullable ImageFormat format() {
        return settings.format;
    }

    /**
     * Sets {@link #format()}.
     *
     * @param value the top layer's format
     * @return the changed copy
     */
    public DiskOptions withFormat(@Nullable ImageFormat value) {
        Settings copy = settings.copy();
        copy.format = value;
        return new DiskOptions(copy);
    }

    /**
     * The id or the name of the top layer's internal snapshot to read instead of its current state. An id goes before an equal
     * name.
     *
     * @return an id or a name, or null for the current state
     */
    public @Nullable String snapshot() {
        return settings.snapshot;
    }

    /**
     * Sets {@link #snapshot()}.
     *
     * @param value an id or a name, or null for the current state
     * @return the changed copy
     */
    public DiskOptions withSnapshot(@Nullable String value) {
        Settings copy = settings.copy();
        copy.snapshot = value;
        return new DiskOptions(copy);
    }

    /**
     * How the host files are opened: through the page cache or past it.
     *
     * @return the mode
     */
    public CacheMode cacheMode() {
        return settings.cacheMode;
    }

    /**
     * Sets {@link #cacheMode()}.
     *
     * @param value the mode
     * @return the changed copy
     */
    public DiskOptions withCacheMode(CacheMode value) {
        Settings copy = settings.copy();
        copy.cacheMode = value;
        return new DiskOptions(copy);
    }

    /**
     * Whether to take no image locks. What a writer changes meanwhile may then be read half.
     *
     * @return true as for {@code qemu-img -U}
     */
    public boolean forceShare() {
        return settings.forceShare;
    }

    /**
     * Sets {@link #forceShare()}.
     *
     * @param value true as for {@code qemu-img -U}
     * @return the changed copy
     */
    public DiskOptions withForceShare(boolean value) {
        Settings copy = settings.copy();
        copy.forceShare = value;
        return new DiskOptions(copy);
    }

    /**
     * Whether to leave the backing files alone: what the top layer does not hold then reads as zeros.
     *
     * @return true to open only the top layer
     */
    public boolean withoutBacking() {
        return settings.withoutBacking;
    }

    /**
     * Sets {@link #withoutBacking()}.
     *
     * @param value true to open only the top layer
     * @return the changed copy
     */
    public DiskOptions withoutBacking(boolean value) {
        Settings copy = settings.copy();
        copy.withoutBacking = value;
        return new DiskOptions(copy);
    }

    /**
     * Folders, besides the image's own, that backing and data files may lie in or below.
     *
     * @return folders
     */
    public List<Path> backingFolders() {
        return settings.backingFolders;
    }

    /**
     * Sets {@link #backingFolders()}.
     *
     * @param value folders; relative ones are taken from the working folder
     * @return the changed copy
     */
    public DiskOptions withBackingFolders(List<Path> value) {
        Settings copy = settings.copy();
        copy.backingFolders = List.copyOf(value);
        return new DiskOptions(copy);
    }

    /**
     * Whether a backing file whose format no header extension names is opened as raw. Otherwise it is refused; its format is
     * never guessed from its content.
     *
     * @return true to open such backing files as raw
     */
    public boolean unnamedBackingAsRaw() {
        return settings.unnamedBackingAsRaw;
    }

    /**
     * Sets {@link #unnamedBackingAsRaw()}.
     *
     * @param value true to open such backing files as raw
     * @return the changed copy
     */
    public DiskOptions withUnnamedBackingAsRaw(boolean value) {
        Settings copy = settings.copy();
        copy.unnamedBackingAsRaw = value;
        return new DiskOptions(copy);
    }

    /**
     * The most layers a chain may have, the top included.
     *
     * @return layers, 1 or more
     */
    public int maxChainDepth() {
        return settings.maxChainDepth;
    }

    /**
     * Sets {@link #maxChainDepth()}.
     *
     * @param value layers, 1 or more
     * @return the changed copy
     */
    public DiskOptions withMaxChainDepth(int value) {
        if (value < 1) {
            throw new IllegalArgumentException("a chain has at least 1 layer, not " + value);
        }
        Settings copy = settings.copy();
        copy.maxChainDepth = value;
        return new DiskOptions(copy);
    }

    /**
     * The budget in bytes of the L2 cache that all layers share. The slices in use at one moment may exceed a tiny budget.
     *
     * @return bytes, 0 or more
     */
    public long sliceCacheBytes() {
        return settings.sliceCacheBytes;
    }

    /**
     * Sets {@link #sliceCacheBytes()}.
     *
     * @param value bytes, 0 or more
     * @return the changed copy
     */
    public DiskOptions withSliceCacheBytes(long value) {
        if (value < 0) {
            throw new IllegalArgumentException("a cache of " + value + " bytes");
        }
        Settings copy = settings.copy();
        copy.sliceCacheBytes = value;
        return new DiskOptions(copy);
    }

    /**
     * Takes each warning as one line for people.
     *
     * @return called on the thread that opens the disk
     */
    public Consumer<String> warnings() {
        return settings.warnings;
    }

    /**
     * Sets {@link #warnings()}.
     *
     * @param value called on the thread that opens the disk
     * @return the changed copy
     */
    public DiskOptions withWarnings(Consumer<String> value) {
        Settings copy = settings.copy();
        copy.warnings = value;
        return new DiskOptions(copy);
    }

    /**
     * Put around every host file as it is opened: for filters that delay, fail or record.
     *
     * @return the filter
     */
    public UnaryOperator<Storage> storageFilter() {
        return settings.storageFilter;
    }

    /**
     * Sets {@link #storageFilter()}.
     *
     * @param value the filter; it must also filter what its {@code reopen} gives
     * @return the changed copy
     */
    public DiskOptions withStorageFilter(UnaryOperator<Storage> value) {
        Settings copy = settings.copy();
        copy.storageFilter = value;
        return new DiskOptions(copy);
    }

    /**
     * Whether the top layer, and its data file, may be written. The other layers are never written.
     *
     * @return true to open for writing
     */
    public boolean writable() {
        return settings.writable;
    }

    /**
     * Sets {@link #writable()}.
     *
     * @param value true to open for writing
     * @return the changed copy
     */
    public DiskOptions withWritable(boolean value) {
        Settings copy = settings.copy();
        copy.writable = value;
        return new DiskOptions(copy);
    }

    /**
     * Whether discarded space goes back to the host; if not, it is kept for later writes only.
     *
     * @return true as for {@code discard=unmap}
     */
    public boolean punchHoles() {
        return settings.punchHoles;
    }

    /**
     * Sets {@link #punchHoles()}.
     *
     * @param value true as for {@code discard=unmap}
     * @return the changed copy
     */
    public DiskOptions withPunchHoles(boolean value) {
        Settings copy = settings.copy();
        copy.punchHoles = value;
        return new DiskOptions(copy);
    }

    /**
     * What to do with written data that is all zeros.
     *
     * @return the mode
     */
    public DetectZeroes detectZeroes() {
        return settings.detectZeroes;
    }

    /**
     * Sets {@link #detectZeroes()}.
     *
     * @param value the mode
     * @return the changed copy
     */
    public DiskOptions withDetectZeroes(DetectZeroes value) {
        Settings copy = settings.copy();
        copy.detectZeroes = value;
        return new DiskOptions(copy);
    }

    /**
     * How queues wait for each other; for tests that decide which queue goes next.
     *
     * @return {@link Waits#PARK} but for tests
     */
    public Waits waits() {
        return settings.waits;
    }

    /**
     * Sets {@link #waits()}.
     *
     * @param value {@link Waits#PARK} but for tests
     * @return the changed copy
     */
    public DiskOptions withWaits(Waits value) {
        Settings copy = settings.copy();
        copy.waits = value;
        return new DiskOptions(copy);
    }

    /**
     * How request queues move bytes.
     *
     * @return the engine; {@link Engine#AUTO} unless set
     */
    public Engine engine() {
        return settings.engine;
    }

    /**
     * Sets {@link #engine()}.
     *
     * @param value the engine
     * @return the changed copy
     */
    public DiskOptions withEngine(Engine value) {
        Settings copy = settings.copy();
        copy.engine = value;
        return new DiskOptions(copy);
    }

    /** What waits for another request leaves its fiber, if it runs on one. */
    DiskOptions withFibers() {
        return engine() == Engine.SYNC ? this : withWaits(new FiberWaits(waits()));
    }
}
