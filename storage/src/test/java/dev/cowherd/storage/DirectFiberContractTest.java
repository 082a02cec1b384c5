package dev.cowherd.storage;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;

/** The contract, on a file past the page cache, its operations on fibers. */
class DirectFiberContractTest extends StorageContract {
    @TempDir
    Path folder;

    @Override
    Storage create() throws IOException {
        return new OnFiber(
                FileStorage.open(folder.resolve("file"), FileOptions.creating().withCacheMode(CacheMode.NONE)));
    }
}
