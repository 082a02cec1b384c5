package dev.cowherd.storage;

/** The contract, on a block device past the page cache. */
class DirectBlockDeviceContractTest extends BlockDeviceContractTest {
    @Override
    CacheMode cacheMode() {
        return CacheMode.DIRECTSYNC;
    }
}
