package dev.cowherd.storage;

import java.lang.foreign.MemorySegment;

/** Memory of a request that is in flight, lent to another thread. */
public final class LentMemory {
    private LentMemory() {}

    /**
     * The same memory for any thread, also where it belongs to one thread alone. As when it is handed to the kernel, nothing keeps it: the lender
     * holds on to it, and frees it only when the other thread has said that it is done.
     *
     * @param memory native memory
     * @return its bytes, without its arena's checks
     */
    public static MemorySegment of(MemorySegment memory) {
        return MemorySegment.ofAddress(memory.address()).reinterpret(memory.byteSize());
    }
}
