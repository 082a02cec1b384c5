package dev.cowherd.metadata;

import dev.cowherd.format.BitmapEntry;
import dev.cowherd.format.Geometry;
import dev.cowherd.format.Header;
import dev.cowherd.format.HeaderExtension;
import dev.cowherd.format.ImageFormatException;
import dev.cowherd.format.Limits;
import dev.cowherd.metadata.Allocator.Taken;
import dev.cowherd.storage.Storage;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The persistent bitmaps of an image that is written (specification: Bitmaps extension, Bitmap directory, Dirty tracking bitmaps): kept
 * right, or marked as out of date where that cannot be, never silently stale.
 *
 * <p>A bitmap with the flag "auto" is read when the image is opened. Before the first change it is marked "in use" on disk, durably: from
 * then on the disk says that it is out of date, at whatever point the writer dies. Every change of the disk sets bits in memory.
 * {@link #store} writes the bits to new clusters and lets the header name a new directory, in which the mark is gone; the old clusters
 * are given away after that. A bitmap without "auto" is not touched, unless the disk gets another size. One that was in use is out of date
 * for good and stays so. An "auto" bitmap that cannot be kept right (its type, a flag or its extra data is unknown, it is broken, or too large
 * for memory) is marked in use like the others, and stays so; where the directory itself is broken the autoclear bit goes, which says
 * the same of all.
 *
 * <p>{@link #beforeChange} may be called by any number of threads at once and takes no lock but for the first time; the rest is called while no
 * request is in flight.
 */
final class Bitmaps {
    private final WritableImage image;
    private final Turn turn;
    /** The bitmaps in memory, by the place of their entry. */
    private final SortedMap<Integer, Kept> kept;

    /** The directory as it is on disk. */
    private List<BitmapEntry> entries;

    private final DirtyBits[] tracked;
    private volatile boolean marked;

    /** A bitmap that is written back. */
    private static final class Kept {
        final DirtyBits bits;
        List<Taken> clusters;

        Kept(BitmapLoader.Loaded loaded) {
            this.bits = loaded.bits();
            this.clusters = loaded.clusters();
        }
    }

    private Bitmaps(WritableImage image, List<BitmapEntry> entries, SortedMap<Integer, Kept> kept, Waits waits) {
        this.image = image;
        this.turn = new Turn(waits, WaitEvent.For.HEADER);
        this.entries = entries;
        this.kept = kept;
        this.tracked = tracked();
    }

    /**
     * Reads what is to be tracked.
     *
     * @param warnings hears of each bitmap that will be out of date after the first write
     * @return null if there is nothing to keep right
     */
    static @Nullable Bitmaps open(WritableImage image, Storage file, Waits waits, Consumer<String> warnings)
            throws IOException {
        Header header = image.header();
        if (header.bitmapsExtension() == null || !header.bitmapsConsistent()) {
            return null;
        }
        BitmapLoader loader = new BitmapLoader(header, image.allocator, file, 0);
        List<BitmapEntry> entries;
        try {
            entries = loader.directory();
        } catch (ImageFormatException e) {
            warnings.accept(image.map.path() + ": no bitmap can be kept up to date: " + e.getMessage());
            return null;
        }
        TreeMap<Integer, Kept> kept = new TreeMap<>();
        for (int i = 0; i < entries.size(); i++) {
            BitmapEntry entry = entries.get(i);
            if (entry.auto() && !entry.inUse()) {
                try {
                    kept.put(i, new Kept(loader.load(entry)));
                } catch (ImageFormatException e) {
                    warnings.accept(image.map.path() + ": a bitmap cannot be kept up to date: " + e.getMessage());
                }
            }
        }
        return new Bitmaps(image, entries, kept, waits);
    }

    private DirtyBits[] tracked() {
        List<DirtyBits> all = new ArrayList<>();
        kept.forEach((index, one) -> {
            if (entries.get(index).auto()) {
                all.add(one.bits);
            }
        });
        return all.toArray(DirtyBits[]::new);
    }

    /** Called before a change of the disk: what it touches is dirty, and the disk knows that its bitmaps are out of date. */
    void beforeChange(long at, long length, Storage file) throws IOException {
        if (!marked) {
            markInUse(file);
        }
        mark(at, length);
    }

    /** Whether the disk knows that its bitmaps are out of date. */
    boolean isMarked() {
        return marked;
    }

    /** This range of the disk is dirty. */
    void mark(long at, long length) {
        for (DirtyBits bits : tracked) {
            bits.mark(at, length);
        }
    }

    /** All of the disk is something else. */
    void allChanged() {
        for (DirtyBits bits : tracked) {
            bits.markAll();
        }
    }

    /** Says on disk, durably, that what this writer changes is not in the bitmaps there. */
    void markInUse(Storage file) throws IOException {
        turn.take();
        try {
            if (marked) {
                return;
            }
            boolean changed = false;
            List<BitmapEntry> then = new ArrayList<>(entries);
            for (int i = 0; i < then.size(); i++) {
                BitmapEntry entry = entries.get(i);
                if (!entry.inUse() && (entry.auto() || kept.containsKey(i))) {
                    then.set(i, entry.withFlags(entry.flags() | BitmapEntry.IN_USE));
                    changed = true;
                }
            }
            if (changed) {
                // In place: each sector holds whole flags, and before the first change every mixture of them is true.
                HeaderExtension.Bitmaps extension =
                        Objects.requireNonNull(image.header().bitmapsExtension());
                try (Arena arena = Arena.ofConfined()) {
                    BitmapStore.writeDirectory(
                            BitmapEntry.encodeDirectory(then), extension.directoryOffset(), tableIo(file, arena));
                }
                image.flush.syncFile(new LayerHandles(file, null));
                entries = then;
            }
            marked = true;
        } finally {
            turn.give();
        }
    }

    /**
     * Why the disk cannot get another size, or null. A bitmap that is out of date may have any size, but QEMU then resizes nothing: whoever
     * relies on it must hear that it is gone.
     */
    @Nullable
    String whyNotResizable(long newBytes) {
        long all = 0;
        for (int i = 0; i < entries.size(); i++) {
            BitmapEntry entry = entries.get(i);
            if (entry.inUse() && !kept.containsKey(i)) {
                return "bitmap '" + entry.name() + "' is out of date (in use) and cannot be resized;"
                        + " remove it first (qemu-img bitmap --remove)";
            }
            all += DirtyBits.mostBytes(newBytes, Math.min(entry.granularityBits(), Limits.MAX_BITMAP_GRANULARITY_BITS));
            if (newBytes == 0 || all > Limits.MAX_TRACKED_BITMAP_BYTES) {
                return "bitmap '" + entry.name() + "' cannot be made for a disk of " + newBytes
                        + " bytes; remove it first (qemu-img bitmap --remove)";
            }
        }
        return null;
    }

    /** Called before the whole disk changes. For another size, bitmaps that do not track change too and are taken over. */
    void prepare(boolean sameSize, Storage file) throws IOException {
        if (!sameSize) {
            takeOver(file);
        }
        markInUse(file);
    }

    private void takeOver(Storage file) throws IOException {
        long memory = 0;
        for (DirtyBits bits : tracked) {
            memory += DirtyBits.mostBytes(image.header().guestBytes(), bits.granularityBits());
        }
        BitmapLoader loader = new BitmapLoader(image.header(), image.allocator, file, memory);
        kept.values().forEach(one -> loader.exclude(one.clusters));
        for (int i = 0; i < entries.size(); i++) {
            if (!kept.containsKey(i) && !entries.get(i).inUse()) {
                kept.put(i, new Kept(loader.load(entries.get(i))));
                marked = false;
            }
        }
    }

    /** The disk has another size: as in QEMU, what it grows by is not dirty. */
    void resize(long diskBytes) {
        kept.values().forEach(one -> one.bits.resize(diskBytes));
    }

    /** Writes the bitmaps back if the disk calls them out of date: all or nothing, at every cut. Their old places wait at the reuse gate. */
    void store(LayerHandles handles) throws IOException {
        if (!marked || kept.isEmpty()) {
            return;
        }
        BitmapStore store = new BitmapStore(image, handles);
        List<BitmapEntry> then = new ArrayList<>(entries);
        Map<Kept, List<Taken>> places = new HashMap<>();
        Taken directory;
        try (Arena arena = Arena.ofConfined()) {
            TableIo io = tableIo(handles.file(), arena);
            for (Map.Entry<Integer, Kept> one : kept.entrySet()) {
                BitmapEntry entry = entries.get(one.getKey());
                BitmapStore.Table table = store.write(one.getValue().bits, io);
                places.put(one.getValue(), table.clusters());
                then.set(
                        one.getKey(),
                        entry.withTable(table.offset(), table.entries())
                                .withFlags(entry.flags() & ~BitmapEntry.IN_USE));
            }
            directory = store.writeDirectory(BitmapEntry.encodeDirectory(then), io);
            image.flush.flush(handles);
        } catch (IOException | RuntimeException | Error e) {
            store.giveBack(e);
            throw e;
        }
        HeaderExtension.Bitmaps before = Objects.requireNonNull(image.header().bitmapsExtension());
        Geometry geometry = image.header().geometry();
        image.header.change(
                handles.file(),
                now -> now.withBitmapDirectory(directory.cluster() << geometry.clusterBits(), before.directoryBytes()));
        entries = then;
        marked = false;
        List<Taken> old = new ArrayList<>();
        places.forEach((one, clusters) -> {
            old.addAll(one.clusters);
            one.clusters = clusters;
        });
        image.drop(old);
        image.allocator.giveBack(
                before.directoryOffset() >>> geometry.clusterBits(),
                geometry.clustersFor(before.directoryBytes()),
                handles.file());
    }

    private TableIo tableIo(Storage file, Arena arena) {
        return new TableIo(file, arena, image.header().geometry(), image.allocator);
    }
}
