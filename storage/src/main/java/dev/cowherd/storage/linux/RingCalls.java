package dev.cowherd.storage.linux;

import java.lang.foreign.MemorySegment;

/**
 * The system calls of io_uring, one method a call, with nothing added: the seam at which a test plays the kernel. Every method
 * answers what the kernel answered, or minus errno.
 */
public interface RingCalls {
    /** io_uring_setup(2): a descriptor. The kernel fills in the rest of {@code params}. */
    long setup(int entries, MemorySegment params);

    /** io_uring_enter(2): how many requests were taken. An empty argument stands for none. */
    long enter(int ring, int toSubmit, int minComplete, int flags, MemorySegment argument);

    /** io_uring_register(2). An empty argument stands for none. */
    long register(int ring, int operation, MemorySegment argument, int count);

    /** mmap(2) of a part of the ring, shared and writable: its address. */
    long map(int ring, long bytes, long part);

    /** munmap(2). */
    long unmap(long address, long bytes);

    /** eventfd(2), closed on exec: a descriptor. */
    long eventfd();

    /** write(2) to a descriptor without offsets. */
    long write(int fd, MemorySegment source);

    /** close(2). The descriptor is gone whatever the answer is. */
    long close(int fd);
}
