package dev.cowherd.storage;

/** The contract, in memory. */
class MemoryContractTest extends StorageContract {
    @Override
    Storage create() {
        return new MemoryStorage("memory");
    }
}
