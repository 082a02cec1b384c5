package dev.cowherd.storage;

/** The contract, on a block device, its operations on fibers. */
class FiberBlockDeviceContractTest extends BlockDeviceContractTest {
    @Override
    Storage asAsked(Storage device) {
        return new OnFiber(device);
    }
}
