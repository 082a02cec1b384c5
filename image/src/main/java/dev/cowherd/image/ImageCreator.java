package dev.cowherd.image;

import dev.cowherd.format.CompressionType;
import dev.cowherd.format.Feature;
import dev.cowherd.format.Header;
import dev.cowherd.format.HeaderExtension;
import dev.cowherd.format.HeaderExtension.BackingFormat;
import dev.cowherd.format.HeaderExtension.ExternalDataFile;
import dev.cowherd.format.HeaderExtension.FeatureNames;
import dev.cowherd.storage.FileOptions;
import dev.cowherd.storage.FileStorage;
import dev.cowherd.storage.Storage;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Makes new QCOW2 images, laid out as QEMU does. When a method returns, the image is durable; if it throws, there is none: the header,
 * which makes a file an image, is written last. All methods may be called by any thread.
 */
public final class ImageCreator {
    /** QEMU leaves the names of features out where clusters are no larger, to have room for a backing file's name. */
    private static final int MOST_BYTES_WITHOUT_FEATURE_NAMES = 4096;

    private ImageCreator() {}

    /**
     * Makes an image file, and the external data file if the options name one: a relative name is taken from the image's folder,
     * as it is when the image is opened. A file that is there already is locked as QEMU locks it, then replaced; of one that is
     * in use nothing is touched. What this call made is removed if it fails.
     *
     * @param path the image
     * @param options what it is to be
     * @throws IllegalArgumentException if the options need more than the format can express
     * @throws dev.cowherd.storage.StorageException if the host refuses; another program's image lock is one reason
     * @throws java.io.InterruptedIOException if the thread is interrupted while all of the space is written
     * @throws IOException if writing fails otherwise
     */
    public static void create(Path path, CreateOptions options) throws IOException {
        Header header = headerOf(options, FreshLayout.of(options));
        String dataFile = options.dataFile();
        try (NewFile image = NewFile.open(path);
                NewFile data = dataFile == null ? null : NewFile.open(dataPath(path, dataFile))) {
            image.storage().truncate(0);
            if (data != null) {
                data.storage().truncate(0);
            }
            write(image.storage(), data == null ? null : data.storage(), header, options);
            if (data != null) {
                data.keep();
            }
            image.keep();
        }
    }

    /**
     * Makes a raw image: a file of zeros. What is said of files that are there already holds here too.
     *
     * @param path the file
     * @param sizeBytes its size in bytes
     * @param preallocation what is held ready; a raw image has no metadata to hold ready
     * @throws IllegalArgumentException if the size is negative or the preallocation is {@link Preallocation#METADATA}
     * @throws IOException if the host refuses
     */
    public static void createRaw(Path path, long sizeBytes, Preallocation preallocation) throws IOException {
        if (sizeBytes < 0 || preallocation == Preallocation.METADATA) {
            throw new IllegalArgumentException(
                    "a raw image of " + sizeBytes + " bytes, preallocation " + preallocation);
        }
        try (NewFile file = NewFile.open(path)) {
            file.storage().truncate(0);
            file.storage().truncate(sizeBytes);
            fill(file.storage(), preallocation, sizeBytes);
            file.storage().sync();
            file.keep();
        }
    }

    private static Path dataPath(Path image, String name) {
        if (FileNames.hasProtocol(name)) {
            throw new IllegalArgumentException("the data file '" + name + "' is not a plain file name");
        }
        return Path.of(FileNames.resolve(image.toString(), name));
    }

    /**
     * Makes an image in a storage that is open and empty. A block device need not be empty: it is overwritten where it must be.
     *
     * @param image where the image goes; the caller closes it
     * @param data where the guest's clusters go, exactly if the options name an external data file; the caller closes it
     * @param options what the image is to be
     * @throws IllegalArgumentException if the options need more than the format can express, or do not fit to {@code data}
     * @throws IOException if writing fails; the storage then holds no image
     */
    public static void create(Storage image, @Nullable Storage data, CreateOptions options) throws IOException {
        if ((data == null) != (options.dataFile() == null)) {
            throw new IllegalArgumentException("a storage for data goes with the option that names a data file");
        }
        write(image, data, headerOf(options, FreshLayout.of(options)), options);
    }

    private static void write(Storage image, @Nullable Storage data, Header header, CreateOptions options)
            throws IOException {
        FreshLayout layout = FreshLayout.of(options);
        try (FreshImage fresh = new FreshImage(image, layout, options)) {
            fresh.forgetOldHeader();
            fresh.writeRefcounts();
            fresh.writeMap();
            if (data == null) {
                fresh.provideData();
            } else {
                provide(data, options, layout.bytes(layout.dataClusters()));
            }
            fresh.writeHeader(header);
        }
    }

    private static void provide(Storage data, CreateOptions options, long mappedBytes) throws IOException {
        long stale = Math.min(data.sizeBytes(), mappedBytes);
        if (stale > 0) {
            data.zero(0, stale);
        }
        data.truncate(options.preallocation() == Preallocation.OFF ? options.sizeBytes() : mappedBytes);
        fill(data, options.preallocation(), mappedBytes);
        data.sync();
    }

    /** Takes the space of a file whose every byte is the guest's. */
    private static void fill(Storage file, Preallocation preallocation, long length) throws IOException {
        switch (preallocation) {
            case OFF, METADATA -> {}
            case FALLOC -> {
                if (length > 0) {
                    file.allocate(0, length);
                }
            }
            case FULL -> {
                try (TableWriter writer = new TableWriter(file)) {
                    writer.zeros(0, length);
                }
            }
        }
    }

    private static Header headerOf(CreateOptions options, FreshLayout layout) {
        CompressionType compression = options.compressionType();
        Header header = Header.fresh(options.version(), options.geometry(), compression)
                .withSize(options.sizeBytes())
                .withL1(layout.l1Entries(), layout.l1Entries() == 0 ? 0 : layout.bytes(layout.l1At()))
                .withRefcountTable(layout.bytes(layout.refcountTableAt()), (int) layout.tableClusters())
                .withFeature(Feature.LAZY_REFCOUNTS, options.lazyRefcounts())
                .withFeature(Feature.EXTERNAL_DATA_FILE, options.dataFile() != null)
                .withFeature(Feature.RAW_EXTERNAL_DATA, options.dataFileRaw())
                .withExtensions(extensionsOf(options))
                .withBackingFile(options.backingFile());
        if (!header.fits()) {
            throw new IllegalArgumentException(
                    "The names of the backing and data files do not fit into the first cluster of "
                            + options.geometry().clusterBytes() + " bytes");
        }
        return header;
    }

    private static List<HeaderExtension> extensionsOf(CreateOptions options) {
        List<HeaderExtension> extensions = new ArrayList<>();
        String backingFormat = options.backingFormat();
        if (backingFormat != null) {
            extensions.add(new BackingFormat(backingFormat));
        }
        String dataFile = options.dataFile();
        if (dataFile != null) {
            extensions.add(new ExternalDataFile(dataFile));
        }
        if (options.version() >= 3 && options.geometry().clusterBytes() > MOST_BYTES_WITHOUT_FEATURE_NAMES) {
            extensions.add(FeatureNames.ofKnownFeatures());
        }
        return extensions;
    }

    /** A file that is being made. Closing it removes it, if it was not there before, unless it is to be kept. */
    private static final class NewFile implements AutoCloseable {
        private final Path path;
        private final Storage storage;
        private final boolean existed;
        private boolean kept;

        private NewFile(Path path, Storage storage, boolean existed) {
            this.path = path;
            this.storage = storage;
            this.existed = existed;
        }

        static NewFile open(Path path) throws IOException {
            boolean existed = Files.exists(path);
            return new NewFile(path, FileStorage.open(path, FileOptions.creating()), existed);
        }

        Storage storage() {
            return storage;
        }

        /** Makes the new name durable too; the file's bytes are already. */
        void keep() throws IOException {
            Path folder = path.toAbsolutePath().getParent();
            if (!existed && folder != null) {
                try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
                    channel.force(true);
                }
            }
            kept = true;
        }

        @Override
        public void close() throws IOException {
            try (storage) {
                if (!kept && !existed) {
                    Files.deleteIfExists(path);
                }
            }
        }
    }
}
