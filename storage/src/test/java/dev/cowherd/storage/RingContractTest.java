package dev.cowherd.storage;

import dev.cowherd.storage.queue.QueuedStorage;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;

/** The contract, on a file through the page cache, its bytes moved over a ring. */
class RingContractTest extends StorageContract {
    @TempDir
    Path folder;

    @Override
    Storage create() throws IOException {
        return new QueuedStorage(FileStorage.open(folder.resolve("file"), FileOptions.creating()));
    }
}
