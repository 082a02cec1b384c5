package dev.cowherd.storage;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;

/** The contract, on a file through the page cache, its operations on fibers. */
class FiberContractTest extends StorageContract {
    @TempDir
    Path folder;

    @Override
    Storage create() throws IOException {
        return new OnFiber(FileStorage.open(folder.resolve("file"), FileOptions.creating()));
    }
}
