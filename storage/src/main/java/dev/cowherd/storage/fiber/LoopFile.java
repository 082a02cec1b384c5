package dev.cowherd.storage.fiber;

import dev.cowherd.storage.linux.FileCalls;
import dev.cowherd.storage.linux.Libc;
import dev.cowherd.storage.ring.FileRequests;
import dev.cowherd.storage.ring.RingDescriptor;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * One file of a loop: the calls on it, by the ring for code that runs on a fiber of the loop. Code that runs on none, such as what opens and
 * closes, makes the system calls; so does everyone for the rare calls that no ring has.
 */
public final class LoopFile implements FileCalls {
    /** The most bytes of one transfer; a longer one comes back short, as from the kernel. */
    private static final long MOST_BYTES = 0x7fff_f000L;

    final FiberLoop loop;
    private final FileRequests requests;
    final RingDescriptor descriptor;

    LoopFile(FiberLoop loop, FileRequests requests, RingDescriptor descriptor) {
        this.loop = loop;
        this.requests = requests;
        this.descriptor = descriptor;
    }

    @Override
    public long pread(int fd, MemorySegment buffer, long offset) {
        Fiber fiber = fiberFor(offset);
        return fiber == null
                ? Libc.HOST.pread(fd, buffer, offset)
                : fiber.await(token -> requests.read(descriptor, offset, transferable(buffer), token));
    }

    @Override
    public long pwrite(int fd, MemorySegment buffer, long offset) {
        Fiber fiber = fiberFor(offset);
        return fiber == null
                ? Libc.HOST.pwrite(fd, buffer, offset)
                : fiber.await(token -> requests.write(descriptor, offset, transferable(buffer), token));
    }

    /** The fiber to leave; none for an offset that the system call refuses and a ring would take for the file's own position. */
    private @Nullable Fiber fiberFor(long offset) {
        return offset < 0 ? null : loop.currentFiber();
    }

    private static MemorySegment transferable(MemorySegment buffer) {
        return buffer.byteSize() <= MOST_BYTES ? buffer : buffer.asSlice(0, MOST_BYTES);
    }

    @Override
    public long preadv(int fd, MemorySegment[] buffers, int first, int count, long skip, long offset) {
        Fiber fiber = fiberFor(offset);
        if (fiber == null) {
            return Libc.HOST.preadv(fd, buffers, first, count, skip, offset);
        }
        MemorySegment[] rest = rest(buffers, first, count, skip);
        return fiber.await(token -> requests.readv(descriptor, offset, rest, count, token));
    }

    @Override
    public long pwritev(int fd, MemorySegment[] buffers, int first, int count, long skip, long offset) {
        Fiber fiber = fiberFor(offset);
        if (fiber == null) {
            return Libc.HOST.pwritev(fd, buffers, first, count, skip, offset);
        }
        MemorySegment[] rest = rest(buffers, first, count, skip);
        return fiber.await(token -> requests.writev(descriptor, offset, rest, count, token));
    }

    private static MemorySegment[] rest(MemorySegment[] buffers, int first, int count, long skip) {
        if (first == 0 && skip == 0) {
            return buffers;
        }
        MemorySegment[] rest = Arrays.copyOfRange(buffers, first, first + count);
        rest[0] = rest[0].asSlice(skip);
        return rest;
    }

    @Override
    public long fallocate(int fd, int mode, long offset, long length) {
        Fiber fiber = loop.currentFiber();
        return fiber == null
                ? Libc.HOST.fallocate(fd, mode, offset, length)
                : fiber.await(token -> requests.fallocate(descriptor, mode, offset, length, token));
    }

    /** What a failed ring has not begun has not failed to become durable: others would lose all their writes by that word. */
    @Override
    public long fdatasync(int fd) {
        Fiber fiber = loop.currentFiber();
        if (fiber != null) {
            long result = fiber.await(token -> requests.fsync(descriptor, true, token));
            if (!fiber.wasNotBegun()) {
                return result;
            }
        }
        return Libc.HOST.fdatasync(fd);
    }

    @Override
    public long syncFileRange(int fd, long offset, long length, int flags) {
        Fiber fiber = fiberFor(offset);
        if (fiber != null) {
            long result = fiber.await(token -> requests.syncRange(descriptor, offset, length, flags, token));
            if (!fiber.wasNotBegun()) {
                return result;
            }
        }
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
