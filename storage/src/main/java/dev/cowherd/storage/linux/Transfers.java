package dev.cowherd.storage.linux;

import java.lang.foreign.MemorySegment;

/**
 * The one place where interrupted calls are made again and short transfers are carried on.
 *
 * <p>Every method answers like a call that is never interrupted and never stops half-way: the bytes moved, which are
 * fewer than asked only where the file ends, or minus errno. Thread-safe, as the calls below it are.
 */
public final class Transfers {
    private static final int EINTR = 4;
    private static final int EIO = 5;
    private static final int SECTOR_BYTES = 512;

    private final FileCalls calls;
    private final long alignment;

    /**
     * Creates the loops over some system calls.
     *
     * @param calls the kernel, or a test in its place
     * @param alignment what the descriptor demands of offsets and lengths: 1, or more under O_DIRECT. There, a transfer that
     *     stopped short is carried on from an aligned place only.
     */
    public Transfers(FileCalls calls, int alignment) {
        this.calls = calls;
        this.alignment = alignment;
    }

    /** Fills the buffer, or as much of it as the file has. */
    public long read(int fd, long offset, MemorySegment buffer) {
        long result = calls.pread(fd, buffer, offset);
        return result == buffer.byteSize() ? result : readOn(fd, offset, buffer, result);
    }

    private long readOn(int fd, long offset, MemorySegment buffer, long firstResult) {
        long size = buffer.byteSize();
        long done = 0;
        long result = firstResult;
        while (true) {
            if (result < 0 && result != -EINTR) {
                return result;
            }
            if (result >= 0) {
                done += result;
                if (result == 0 || done == size || endsInsideBlock(done)) {
                    return done;
                }
            }
            result = calls.pread(fd, buffer.asSlice(done), offset + done);
        }
    }

    /** Fills the first {@code count} buffers in order, or as much of them as the file has. */
    public long readv(int fd, long offset, MemorySegment[] buffers, int count) {
        int first = 0;
        long skip = 0;
        long done = 0;
        while (true) {
            while (first < count && buffers[first].byteSize() == skip) {
                first++;
                skip = 0;
            }
            if (first == count) {
                return done;
            }
            int now = Math.min(count - first, CallState.MAX_IOVECS);
            long result = calls.preadv(fd, buffers, first, now, skip, offset + done);
            if (result == -EINTR) {
                continue;
            }
            if (result <= 0) {
                return result < 0 ? result : done;
            }
            done += result;
            skip += result;
            while (first < count && skip >= buffers[first].byteSize()) {
                skip -= buffers[first].byteSize();
                first++;
            }
            if (first < count && endsInsideBlock(done)) {
                return done;
            }
        }
    }

    /** Writes the whole buffer: its size, or minus errno. */
    public long write(int fd, long offset, MemorySegment buffer) {
        long size = buffer.byteSize();
        long done = 0;
        boolean again = false;
        while (done < size) {
            MemorySegment rest = done == 0 ? buffer : buffer.asSlice(done);
            long result = calls.pwrite(fd, rest, offset + done);
            if (result == -EINTR) {
                continue;
            }
            if (result < 0) {
                return result;
            }
            long kept = result == rest.byteSize() ? result : kept(offset + done + result, result, again);
            if (kept == 0 && (again || result == 0)) {
                return -EIO;
            }
            again = kept == 0;
            done += kept;
        }
        return size;
    }

    /**
     * How much of a write that stopped short at {@code end} need not be written again: what comes before the sector it stopped in, or the
     * block under O_DIRECT. If another write of the same sector comes in between, carrying on inside the sector would leave it half of
     * one and half of the other for good; two writes of a sector at once may end in any order, but a sector is of one of them.
     * Only where a kernel takes less than a sector again, it is carried on where it stopped.
     */
    private long kept(long end, long moved, boolean again) {
        long whole = moved - end % Math.max(alignment, SECTOR_BYTES);
        if (whole > 0) {
            return whole;
        }
        return again && alignment == 1 ? moved : 0;
    }

    /** Writes the first {@code count} buffers in order, all of them: their size together, or minus errno. */
    public long writev(int fd, long offset, MemorySegment[] buffers, int count) {
        int first = 0;
        long skip = 0;
        long done = 0;
        boolean again = false;
        while (true) {
            while (first < count && skip >= buffers[first].byteSize()) {
                skip -= buffers[first].byteSize();
                first++;
            }
            if (first == count) {
                return done;
            }
            int now = Math.min(count - first, CallState.MAX_IOVECS);
            long result = calls.pwritev(fd, buffers, first, now, skip, offset + done);
            if (result == -EINTR) {
                continue;
            }
            if (result < 0) {
                return result;
            }
            boolean all = first + now == count && result == bytes(buffers, first, now) - skip;
            long kept = all ? result : kept(offset + done + result, result, again);
            if (kept == 0 && (again || result == 0)) {
                return -EIO;
            }
            again = kept == 0;
            done += kept;
            skip += kept;
        }
    }

    private static long bytes(MemorySegment[] buffers, int first, int count) {
        long bytes = 0;
        for (int i = first; i < first + count; i++) {
            bytes += buffers[i].byteSize();
        }
        return bytes;
    }

    /** fallocate(2), made again while interrupted. */
    public long fallocate(int fd, int mode, long offset, long length) {
        long result;
        do {
            result = calls.fallocate(fd, mode, offset, length);
        } while (result == -EINTR);
        return result;
    }

    /** fdatasync(2), made again while interrupted. */
    public long fdatasync(int fd) {
        long result;
        do {
            result = calls.fdatasync(fd);
        } while (result == -EINTR);
        return result;
    }

    /** sync_file_range(2), made again while interrupted. */
    public long syncFileRange(int fd, long offset, long length, int flags) {
        long result;
        do {
            result = calls.syncFileRange(fd, offset, length, flags);
        } while (result == -EINTR);
        return result;
    }

    /** ftruncate(2), made again while interrupted. */
    public long ftruncate(int fd, long length) {
        long result;
        do {
            result = calls.ftruncate(fd, length);
        } while (result == -EINTR);
        return result;
    }

    /** open(2), made again while interrupted. */
    public long open(String path, int flags, int mode) {
        long result;
        do {
            result = calls.open(path, flags, mode);
        } while (result == -EINTR);
        return result;
    }

    /** Under O_DIRECT only the file's end stops a read inside a block. */
    private boolean endsInsideBlock(long done) {
        return done % alignment != 0;
    }
}
