package dev.cowherd.cli;

import dev.cowherd.check.CheckListener;
import dev.cowherd.check.CheckOptions;
import dev.cowherd.check.ImageRepair;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.ImageFormat;
import dev.cowherd.storage.FileOptions;
import dev.cowherd.storage.FileStorage;
import dev.cowherd.storage.LockMode;
import dev.cowherd.storage.Storage;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;

/**
 * Repairs an image that its last writer did not close, before it is opened to be written again: what QEMU does at every such open.
 * The engine itself refuses to write to it.
 */
final class DirtyImages {
    private DirtyImages() {}

    /**
     * Repairs the image if it is dirty and is going to be written.
     *
     * @param path the image
     * @param options how it is going to be opened
     * @param err hears what was found and repaired
     * @throws IOException if it cannot be repaired, or not be opened for that
     */
    static void repair(Path path, DiskOptions options, PrintStream err) throws IOException {
        if (!options.writable() || options.format() == ImageFormat.RAW) {
            return;
        }
        FileOptions file = FileOptions.writing().withCacheMode(options.cacheMode());
        try (Storage storage = FileStorage.open(path, options.forceShare() ? file.withLock(LockMode.NONE) : file)) {
            ImageRepair.cleanDirty(storage, CheckOptions.defaults(), new CheckListener() {
                @Override
                public void found(String line) {
                    err.println(line);
                }

                @Override
                public void progress(double fraction) {}
            });
        }
    }
}
