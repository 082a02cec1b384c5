package dev.cowherd.storage;

import dev.cowherd.storage.filter.DelayStorage;
import dev.cowherd.storage.filter.FaultStorage;
import dev.cowherd.storage.filter.GateStorage;
import dev.cowherd.storage.filter.RecordStorage;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;

/** The contract, through one filter of each kind at rest. */
class FilterContractTest extends StorageContract {
    @TempDir
    Path folder;

    @Override
    Storage create() throws IOException {
        Storage file = FileStorage.open(folder.resolve("file"), FileOptions.creating());
        return GateStorage.forReads(
                new DelayStorage(new RecordStorage(new FaultStorage(file)), request -> 0, nanos -> {}), 1);
    }
}
