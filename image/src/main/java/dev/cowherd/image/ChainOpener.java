package dev.cowherd.image;

import dev.cowherd.format.Header;
import dev.cowherd.format.ImageFormatException;
import dev.cowherd.format.Snapshot;
import dev.cowherd.format.UnsupportedImageException;
import dev.cowherd.metadata.ImageMap;
import dev.cowherd.metadata.RawMap;
import dev.cowherd.metadata.SliceCache;
import dev.cowherd.metadata.WritableImage;
import dev.cowherd.storage.FileOptions;
import dev.cowherd.storage.FileStorage;
import dev.cowherd.storage.LockMode;
import dev.cowherd.storage.Storage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Opens an image and what it stands on, layer by layer from the top down: all of it or nothing. */
final class ChainOpener {
    private static final int SECTOR_BYTES = 512;

    private final String topName;
    private final DiskOptions options;
    private final SliceCache cache;
    private final List<Layer> layers = new ArrayList<>();
    private final Set<Object> files = new HashSet<>();
    private @Nullable FileGate gate;

    private ChainOpener(String topName, DiskOptions options) {
        this.topName = topName;
        this.options = options;
        this.cache = new SliceCache(options.sliceCacheBytes(), options.waits());
    }

    static List<Layer> open(Path path, DiskOptions options) throws IOException {
        return open(options.storageFilter().apply(openFile(path, options, options.writable())), options);
    }

    static List<Layer> open(Storage top, DiskOptions options) throws IOException {
        ChainOpener opener = new ChainOpener(top.name(), options);
        try {
            opener.openLayers(top);
            return opener.layers;
        } catch (IOException | RuntimeException | Error e) {
            opener.layers.forEach(layer -> Closing.quietly(e, layer.storage(), layer.dataStorage()));
            throw e;
        }
    }

    private void openLayers(Storage top) throws IOException {
        Layer layer = openTop(top);
        layers.add(layer);
        Header header = layer.header();
        while (header != null && header.backingFile() != null && !options.withoutBacking()) {
            layer = openBacking(layer.fileName(), header, header.backingFile());
            layers.add(layer);
            header = layer.header();
        }
    }

    private Layer openTop(Storage top) throws IOException {
        try {
            ImageFormat format = options.format();
            if (format == null) {
                format = HeaderFile.hasMagic(top) ? ImageFormat.QCOW2 : ImageFormat.RAW;
                if (format == ImageFormat.RAW) {
                    options.warnings()
                            .accept(top.name()
                                    + ": no QCOW2 magic, so it is opened as raw; say format raw to be sure of it");
                }
            }
            return openLayer(top, top.name(), format);
        } catch (IOException | RuntimeException | Error e) {
            Closing.quietly(e, top, null);
            throw e;
        }
    }

    private Layer openBacking(String image, Header header, String name) throws IOException {
        if (layers.size() >= options.maxChainDepth()) {
            throw new ChainException(image, "the backing chain is longer than " + options.maxChainDepth() + " layers");
        }
        FileGate.Admitted file = gate().admit(image, "backing file", name);
        ImageFormat format = backingFormat(image, header, name);
        if (files.isEmpty()) {
            files.add(identity(Path.of(topName)));
        }
        if (!files.add(identity(file.real()))) {
            throw new ChainException(image, "its backing file '" + name + "' is already part of the chain: a loop");
        }
        Storage storage = openNamed(file, false);
        try {
            return openLayer(storage, file.path(), format);
        } catch (IOException | RuntimeException | Error e) {
            Closing.quietly(e, storage, null);
            throw e;
        }
    }

    /** The header names the format; nothing is guessed from what a guest may have written there. */
    private ImageFormat backingFormat(String image, Header header, String name) throws IOException {
        String format = header.backingFormat();
        if (format == null) {
            if (options.unnamedBackingAsRaw()) {
                return ImageFormat.RAW;
            }
            throw new ChainException(
                    image,
                    "it does not say which format its backing file '" + name + "' has, and guessing is not safe;"
                            + " write it into the image (qemu-img rebase -u -b FILE -F FORMAT) or allow raw for it (--raw-backing)");
        }
        return switch (format) {
            case "qcow2" -> ImageFormat.QCOW2;
            case "raw", "file", "host_device" -> ImageFormat.RAW;
            default ->
                throw new UnsupportedImageException(
                                "backing format", -1, "'" + format + "' is not supported (known: qcow2, raw)")
                        .withPath(image);
        };
    }

    private Layer openLayer(Storage storage, String name, ImageFormat format) throws IOException {
        if (format == ImageFormat.RAW) {
            if (layers.isEmpty()) {
                wantedSnapshot(name, List.of());
            }
            long bytes = storage.sizeBytes();
            // A disk is made of sectors: the last one of an odd file is filled up with zeros, as QEMU does.
            long sectors = bytes / SECTOR_BYTES + (bytes % SECTOR_BYTES == 0 ? 0 : 1);
            return new Layer(name, format, null, List.of(), storage, null, new RawMap(sectors * SECTOR_BYTES), null);
        }
        Storage data = null;
        try {
            Header header = HeaderFile.readHeader(storage);
            header.requireSupported();
            if (header.isCorrupt()) {
                options.warnings().accept(name + ": the image is marked corrupt; what is read may be wrong");
            }
            List<Snapshot> snapshots = HeaderFile.readSnapshots(storage, header);
            boolean writable = layers.isEmpty() && options.writable();
            if (writable) {
                requireWritable(name, header);
            }
            data = openData(name, header, writable);
            Snapshot snapshot = layers.isEmpty() ? wantedSnapshot(name, snapshots) : null;
            ImageMap map = ImageMap.open(storage, data, header, snapshot, cache);
            return new Layer(
                    name,
                    format,
                    header,
                    snapshots,
                    storage,
                    data,
                    map,
                    writable ? writeHalf(storage, map, header, snapshots) : null);
        } catch (IOException | RuntimeException | Error e) {
            if (data != null) {
                Closing.quietly(e, data, null);
            }
            if (e instanceof ImageFormatException fault) {
                throw fault.withPath(name);
            }
            throw e;
        }
    }

    private void requireWritable(String image, Header header) throws IOException {
        if (options.snapshot() != null) {
            throw new ChainException(image, "an internal snapshot is opened read-only");
        }
        if (header.isCorrupt()) {
            throw new ChainException(
                    image, "it is marked corrupt and cannot be written; repair it (check -r all) or open it read-only");
        }
        if (header.isDirty()) {
            throw new ChainException(
                    image,
                    "it was not closed by its last writer and its refcounts may be wrong; repair it (check -r all) before"
                            + " it is written");
        }
    }

    private WritableImage writeHalf(Storage file, ImageMap map, Header header, List<Snapshot> snapshots)
            throws IOException {
        return WritableImage.open(
                file,
                map,
                header,
                snapshots,
                new WritableImage.Settings(
                        options.punchHoles(), options.sliceCacheBytes(), options.waits(), options.warnings()));
    }

    private @Nullable Storage openData(String image, Header header, boolean writable) throws IOException {
        if (!header.hasExternalDataFile()) {
            return null;
        }
        String name = header.dataFile();
        if (name == null) {
            throw new ChainException(image, "its data is in another file, but it does not say which");
        }
        return openNamed(gate().admit(image, "data file", name), writable);
    }

    private @Nullable Snapshot wantedSnapshot(String image, List<Snapshot> snapshots) throws IOException {
        String wanted = options.snapshot();
        if (wanted == null) {
            return null;
        }
        for (Snapshot snapshot : snapshots) {
            if (snapshot.id().equals(wanted)) {
                return snapshot;
            }
        }
        for (Snapshot snapshot : snapshots) {
            if (snapshot.name().equals(wanted)) {
                return snapshot;
            }
        }
        throw new ChainException(image, "it has no snapshot with the id or name '" + wanted + "'");
    }

    private Storage openNamed(FileGate.Admitted file, boolean writable) throws IOException {
        try {
            return options.storageFilter().apply(gate().open(file, fileOptions(options, writable)));
        } catch (ChainException e) {
            throw e;
        } catch (IOException e) {
            throw new ChainException(file.image(), "its " + file.role() + " cannot be opened: " + e.getMessage(), e);
        }
    }

    private static Storage openFile(Path path, DiskOptions options, boolean writable) throws IOException {
        return FileStorage.open(path, fileOptions(options, writable));
    }

    private static FileOptions fileOptions(DiskOptions options, boolean writable) {
        LockMode lock = options.forceShare() ? LockMode.NONE : writable ? LockMode.WRITE : LockMode.READ;
        return new FileOptions(writable, false, options.cacheMode(), lock);
    }

    private FileGate gate() throws IOException {
        if (gate == null) {
            gate = FileGate.of(Path.of(topName), options.backingFolders());
        }
        return gate;
    }

    private static Object identity(Path path) throws IOException {
        Object key = Files.readAttributes(path, BasicFileAttributes.class).fileKey();
        return key == null ? path.toRealPath() : key;
    }
}
