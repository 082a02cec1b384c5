package dev.cowherd.storage.linux;

import java.lang.foreign.MemorySegment;

/**
 * The system calls on an open file, one method a call, with nothing added: the seam at which a test plays the kernel.
 * Every method answers what the kernel answered, or minus errno.
 */
public interface FileCalls {
    /** pread(2) into the whole segment. */
    long pread(int fd, MemorySegment buffer, long offset);

    /** pwrite(2) of the whole segment. */
    long pwrite(int fd, MemorySegment buffer, long offset);

    /** preadv(2) into {@code count} buffers from index {@code first} on, the first {@code skip} bytes of the first left out. */
    long preadv(int fd, MemorySegment[] buffers, int first, int count, long skip, long offset);

    /** pwritev(2) of {@code count} buffers from index {@code first} on, the first {@code skip} bytes of the first left out. */
    long pwritev(int fd, MemorySegment[] buffers, int first, int count, long skip, long offset);

    /** fallocate(2). */
    long fallocate(int fd, int mode, long offset, long length);

    /** fdatasync(2). */
    long fdatasync(int fd);

    /** sync_file_range(2). */
    long syncFileRange(int fd, long offset, long length, int flags);

    /** ftruncate(2). */
    long ftruncate(int fd, long length);

    /** open(2) of a path: a descriptor. */
    long open(String path, int flags, int mode);

    /**
     * What stands in front of other calls on the same files, as these stand in front of the host's: a test's kernel does as it did, and
     * the host itself has nothing to add.
     *
     * @param calls those that leave fibers
     * @return the calls to make
     */
    default FileCalls over(FileCalls calls) {
        return calls;
    }
}
