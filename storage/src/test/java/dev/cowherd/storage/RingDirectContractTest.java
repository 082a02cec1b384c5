package dev.cowherd.storage;

import dev.cowherd.storage.queue.QueuedStorage;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;

/** The contract, on a file past the page cache, its bytes moved over a ring where they are aligned. */
class RingDirectContractTest extends StorageContract {
    @TempDir
    Path folder;

    @Override
    Storage create() throws IOException {
        return new QueuedStorage(
                FileStorage.open(folder.resolve("file"), FileOptions.creating().withCacheMode(CacheMode.NONE)));
    }
}
