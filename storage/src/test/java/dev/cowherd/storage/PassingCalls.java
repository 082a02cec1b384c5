package dev.cowherd.storage;

import dev.cowherd.storage.linux.FileCalls;
import dev.cowherd.storage.linux.Libc;
import java.lang.foreign.MemorySegment;

/** The kernel, with a place to stand in front of each call. */
class PassingCalls implements FileCalls {
    @Override
    public long pread(int fd, MemorySegment buffer, long offset) {
        return Libc.HOST.pread(fd, buffer, offset);
    }

    @Override
    public long pwrite(int fd, MemorySegment buffer, long offset) {
        return Libc.HOST.pwrite(fd, buffer, offset);
    }

    @Override
    public long preadv(int fd, MemorySegment[] buffers, int first, int count, long skip, long offset) {
        return Libc.HOST.preadv(fd, buffers, first, count, skip, offset);
    }

    @Override
    public long pwritev(int fd, MemorySegment[] buffers, int first, int count, long skip, long offset) {
        return Libc.HOST.pwritev(fd, buffers, first, count, skip, offset);
    }

    @Override
    public long fallocate(int fd, int mode, long offset, long length) {
        return Libc.HOST.fallocate(fd, mode, offset, length);
    }

    @Override
    public long fdatasync(int fd) {
        return Libc.HOST.fdatasync(fd);
    }

    @Override
    public long syncFileRange(int fd, long offset, long length, int flags) {
        return Libc.HOST.syncFileRange(fd, offset, length, flags);
    }

    @Override
    public long ftruncate(int fd, long length) {
        return Libc.HOST.ftruncate(fd, length);
    }

    @Override
    public long open(String path, int flags, int mode) {
        return Libc.HOST.open(path, flags, mode);
    }
}
