package dev.cowherd.storage.linux;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.lang.ref.Reference;

/**
 * The C library's functions, bound once.
 *
 * <p>Linking costs start-up time for each distinct shape of function, so all functions share one: a descriptor, an address, three
 * whole numbers, and a whole number back. Whole numbers travel in the same registers whatever their width and whether they
 * are addresses; registers that a function does not ask for are ignored; variadic functions take whole numbers like any
 * other. This holds in the C ABIs of Linux on x86-64, aarch64 and riscv64. Of an int result only the low 32 bits count.
 */
public final class Libc implements FileCalls {
    /** The running kernel. */
    public static final Libc HOST = new Libc();

    private static final Linker LINKER = Linker.nativeLinker();
    private static final FunctionDescriptor SHAPE =
            FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_LONG, JAVA_LONG);

    private static final MethodHandle PREAD = bind("pread");
    private static final MethodHandle PWRITE = bind("pwrite");
    private static final MethodHandle PREADV = bind("preadv");
    private static final MethodHandle PWRITEV = bind("pwritev");
    private static final MethodHandle OPENAT = bind("openat");
    private static final MethodHandle FCNTL = bind("fcntl");
    private static final MethodHandle IOCTL = bind("ioctl");
    private static final MethodHandle STATX = bind("statx");
    private static final MethodHandle FSTATFS = bind("fstatfs");
    private static final MethodHandle LSEEK = bind("lseek");
    private static final MethodHandle FALLOCATE = bind("fallocate");
    private static final MethodHandle FTRUNCATE = bind("ftruncate");
    private static final MethodHandle FDATASYNC = bind("fdatasync");
    private static final MethodHandle SYNC_FILE_RANGE = bind("sync_file_range");
    private static final MethodHandle CLOSE = bind("close");

    private static final int AT_FDCWD = -100;
    private static final int AT_EMPTY_PATH = 0x1000;
    private static final int STATX_BASIC_STATS = 0x7ff;
    private static final int STATX_DIOALIGN = 0x2000;

    private Libc() {}

    private static MethodHandle bind(String function) {
        MemorySegment address = LINKER.defaultLookup()
                .find(function)
                .orElseThrow(() -> new UnsatisfiedLinkError("the C library has no " + function));
        return LINKER.downcallHandle(address, SHAPE, Linker.Option.captureCallState("errno"));
    }

    @Override
    public long pread(int fd, MemorySegment buffer, long offset) {
        CallState state = CallState.current();
        long result;
        try {
            result = (long) PREAD.invokeExact(state.captured, fd, buffer, buffer.byteSize(), offset, 0L);
        } catch (Throwable e) {
            throw unexpected(e);
        }
        return result >= 0 ? result : state.negatedErrno();
    }

    @Override
    public long pwrite(int fd, MemorySegment buffer, long offset) {
        CallState state = CallState.current();
        long result;
        try {
            result = (long) PWRITE.invokeExact(state.captured, fd, buffer, buffer.byteSize(), offset, 0L);
        } catch (Throwable e) {
            throw unexpected(e);
        }
        return result >= 0 ? result : state.negatedErrno();
    }

    @Override
    public long preadv(int fd, MemorySegment[] buffers, int first, int count, long skip, long offset) {
        for (int i = first; i < first + count; i++) {
            if (buffers[i].isReadOnly()) {
                throw new IllegalArgumentException("a buffer to read into is writable: " + buffers[i]);
            }
        }
        CallState state = CallState.current();
        MemorySegment array = iovecs(state, buffers, first, count, skip);
        long result;
        try {
            result = (long) PREADV.invokeExact(state.captured, fd, array, (long) count, offset, 0L);
        } catch (Throwable e) {
            throw unexpected(e);
        } finally {
            Reference.reachabilityFence(buffers);
        }
        return result >= 0 ? result : state.negatedErrno();
    }

    @Override
    public long pwritev(int fd, MemorySegment[] buffers, int first, int count, long skip, long offset) {
        CallState state = CallState.current();
        MemorySegment array = iovecs(state, buffers, first, count, skip);
        long result;
        try {
            result = (long) PWRITEV.invokeExact(state.captured, fd, array, (long) count, offset, 0L);
        } catch (Throwable e) {
            throw unexpected(e);
        } finally {
            Reference.reachabilityFence(buffers);
        }
        return result >= 0 ? result : state.negatedErrno();
    }

    private static MemorySegment iovecs(CallState state, MemorySegment[] buffers, int first, int count, long skip) {
        MemorySegment array = state.iovecs();
        for (int i = 0; i < count; i++) {
            MemorySegment buffer = buffers[first + i];
            if (!buffer.isNative() || !buffer.scope().isAlive()) {
                throw new IllegalArgumentException("a buffer for host I/O is native and open: " + buffer);
            }
            CallState.setIovec(array, i, buffer, i == 0 ? skip : 0);
        }
        return array;
    }

    @Override
    public long fallocate(int fd, int mode, long offset, long length) {
        return call(FALLOCATE, fd, MemorySegment.ofAddress(mode), offset, length);
    }

    @Override
    public long fdatasync(int fd) {
        return call(FDATASYNC, fd, MemorySegment.NULL, 0, 0);
    }

    @Override
    public long syncFileRange(int fd, long offset, long length, int flags) {
        return call(SYNC_FILE_RANGE, fd, MemorySegment.ofAddress(offset), length, flags);
    }

    @Override
    public long ftruncate(int fd, long length) {
        return call(FTRUNCATE, fd, MemorySegment.ofAddress(length), 0, 0);
    }

    @Override
    public long open(String path, int flags, int mode) {
        try (Arena arena = Arena.ofConfined()) {
            return call(OPENAT, AT_FDCWD, arena.allocateFrom(path), flags, mode);
        }
    }

    /** close(2). The descriptor is gone whatever the answer is. */
    public long close(int fd) {
        return call(CLOSE, fd, MemorySegment.NULL, 0, 0);
    }

    /** lseek(2). */
    public long lseek(int fd, long offset, int whence) {
        CallState state = CallState.current();
        try {
            long result = (long)
                    LSEEK.invokeExact(state.captured, fd, MemorySegment.ofAddress(offset), (long) whence, 0L, 0L);
            return result >= 0 ? result : state.negatedErrno();
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    /** fcntl(2) with a structure. */
    public long fcntl(int fd, int command, MemorySegment argument) {
        return call(FCNTL, fd, MemorySegment.ofAddress(command), argument.address(), 0);
    }

    /** ioctl(2) with a structure. */
    public long ioctl(int fd, long request, MemorySegment argument) {
        return call(IOCTL, fd, MemorySegment.ofAddress(request), argument.address(), 0);
    }

    /** What the kernel knows of the file behind a path, links followed. */
    public long stat(String path, FileStat into) {
        try (Arena arena = Arena.ofConfined()) {
            return statx(AT_FDCWD, arena.allocateFrom(path), 0, into);
        }
    }

    /** What the kernel knows of an open file. */
    public long stat(int fd, FileStat into) {
        try (Arena arena = Arena.ofConfined()) {
            return statx(fd, arena.allocateFrom(""), AT_EMPTY_PATH, into);
        }
    }

    /** What the kernel knows of the file system that an open file lies on. */
    public long statFileSystem(int fd, FileSystemStat into) {
        MemorySegment room = CallState.current().struct();
        long result = call(FSTATFS, fd, room, 0, 0);
        if (result >= 0) {
            into.decode(room);
        }
        return result;
    }

    private static long statx(int fd, MemorySegment path, int flags, FileStat into) {
        CallState state = CallState.current();
        MemorySegment room = state.struct().fill((byte) 0);
        try {
            long mask = STATX_BASIC_STATS | STATX_DIOALIGN;
            long result = (long) STATX.invokeExact(state.captured, fd, path, (long) flags, mask, room.address());
            if ((int) result < 0) {
                return state.negatedErrno();
            }
        } catch (Throwable e) {
            throw unexpected(e);
        }
        into.decode(room);
        return 0;
    }

    /** A call that answers an int. Structures given by their address must outlive it. */
    private static long call(MethodHandle function, int fd, MemorySegment a, long b, long c) {
        CallState state = CallState.current();
        try {
            long result = (long) function.invokeExact(state.captured, fd, a, b, c, 0L);
            return (int) result >= 0 ? (int) result : state.negatedErrno();
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    /** Calls through a handle declare Throwable; what really comes are runtime exceptions about the arguments. */
    private static RuntimeException unexpected(Throwable e) {
        if (e instanceof RuntimeException argument) {
            return argument;
        }
        if (e instanceof Error error) {
            throw error;
        }
        return new IllegalStateException("a system call threw a checked exception", e);
    }
}
