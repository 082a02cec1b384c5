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
 * <p>Linking costs start-up time for each distinct shape of function, so the functions share few shapes: whole numbers are
 * declared as 64 bits wide, which is how registers carry them in every 64-bit ABI of Linux. Only the low 32 bits of an int
 * result are looked at.
 */
public final class Libc implements FileCalls {
    /** The running kernel. */
    public static final Libc HOST = new Libc();

    private static final Linker LINKER = Linker.nativeLinker();

    private static final FunctionDescriptor FD_BUFFER =
            FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_LONG);
    private static final FunctionDescriptor FD_NUMBERS =
            FunctionDescriptor.of(JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG);

    private static final MethodHandle PREAD = bind("pread", FD_BUFFER);
    private static final MethodHandle PWRITE = bind("pwrite", FD_BUFFER);
    private static final MethodHandle PREADV = bind("preadv", FD_BUFFER);
    private static final MethodHandle OPENAT = bind("openat", FD_BUFFER, Linker.Option.firstVariadicArg(3));
    private static final MethodHandle FCNTL = bind(
            "fcntl", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, JAVA_LONG, ADDRESS), Linker.Option.firstVariadicArg(2));
    private static final MethodHandle IOCTL = bind(
            "ioctl", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, JAVA_LONG, ADDRESS), Linker.Option.firstVariadicArg(2));
    private static final MethodHandle STATX =
            bind("statx", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_LONG, ADDRESS));
    private static final MethodHandle LSEEK = bind("lseek", FD_NUMBERS);
    private static final MethodHandle FALLOCATE = bind("fallocate", FD_NUMBERS);
    private static final MethodHandle FTRUNCATE = bind("ftruncate", FD_NUMBERS);
    private static final MethodHandle FDATASYNC = bind("fdatasync", FD_NUMBERS);
    private static final MethodHandle CLOSE = bind("close", FD_NUMBERS);
    private static final MethodHandle FSTATFS = bind("fstatfs", FD_BUFFER);

    private static final int AT_FDCWD = -100;
    private static final int AT_EMPTY_PATH = 0x1000;
    private static final int STATX_BASIC_STATS = 0x7ff;
    private static final int STATX_DIOALIGN = 0x2000;

    private Libc() {}

    private static MethodHandle bind(String function, FunctionDescriptor shape, Linker.Option... more) {
        MemorySegment address = LINKER.defaultLookup()
                .find(function)
                .orElseThrow(() -> new UnsatisfiedLinkError("the C library has no " + function));
        Linker.Option[] options = new Linker.Option[more.length + 1];
        options[0] = Linker.Option.captureCallState("errno");
        System.arraycopy(more, 0, options, 1, more.length);
        return LINKER.downcallHandle(address, shape, options);
    }

    @Override
    public long pread(int fd, MemorySegment buffer, long offset) {
        CallState state = CallState.current();
        long result;
        try {
            result = (long) PREAD.invokeExact(state.captured, fd, buffer, buffer.byteSize(), offset);
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
            result = (long) PWRITE.invokeExact(state.captured, fd, buffer, buffer.byteSize(), offset);
        } catch (Throwable e) {
            throw unexpected(e);
        }
        return result >= 0 ? result : state.negatedErrno();
    }

    @Override
    public long preadv(int fd, MemorySegment[] buffers, int first, int count, long skip, long offset) {
        CallState state = CallState.current();
        MemorySegment array = state.iovecs();
        for (int i = 0; i < count; i++) {
            MemorySegment buffer = buffers[first + i];
            if (!buffer.isNative() || !buffer.scope().isAlive() || buffer.isReadOnly()) {
                throw new IllegalArgumentException("a buffer for host I/O is native, open and writable: " + buffer);
            }
            CallState.setIovec(array, i, buffer, i == 0 ? skip : 0);
        }
        long result;
        try {
            result = (long) PREADV.invokeExact(state.captured, fd, array, (long) count, offset);
        } catch (Throwable e) {
            throw unexpected(e);
        } finally {
            Reference.reachabilityFence(buffers);
        }
        return result >= 0 ? result : state.negatedErrno();
    }

    @Override
    public long fallocate(int fd, int mode, long offset, long length) {
        return call(FALLOCATE, fd, mode, offset, length);
    }

    @Override
    public long fdatasync(int fd) {
        return call(FDATASYNC, fd, 0, 0, 0);
    }

    @Override
    public long ftruncate(int fd, long length) {
        return call(FTRUNCATE, fd, length, 0, 0);
    }

    @Override
    public long open(String path, int flags, int mode) {
        CallState state = CallState.current();
        try (Arena arena = Arena.ofConfined()) {
            long result = (long)
                    OPENAT.invokeExact(state.captured, AT_FDCWD, arena.allocateFrom(path), (long) flags, (long) mode);
            return (int) result >= 0 ? (int) result : state.negatedErrno();
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    /** close(2). The descriptor is gone whatever the answer is. */
    public long close(int fd) {
        return call(CLOSE, fd, 0, 0, 0);
    }

    /** lseek(2). */
    public long lseek(int fd, long offset, int whence) {
        CallState state = CallState.current();
        try {
            long result = (long) LSEEK.invokeExact(state.captured, fd, offset, (long) whence, 0L);
            return result >= 0 ? result : state.negatedErrno();
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    /** fcntl(2) with a structure. */
    public long fcntl(int fd, int command, MemorySegment argument) {
        return control(FCNTL, fd, command, argument);
    }

    /** ioctl(2) with a structure. */
    public long ioctl(int fd, long request, MemorySegment argument) {
        return control(IOCTL, fd, request, argument);
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

    /** The magic number of the file system that an open file lies on, or minus errno. */
    public long fileSystemType(int fd) {
        CallState state = CallState.current();
        MemorySegment room = state.struct();
        try {
            long result = (long) FSTATFS.invokeExact(state.captured, fd, room, 0L, 0L);
            return (int) result >= 0 ? room.get(JAVA_LONG, 0) : state.negatedErrno();
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    private static long statx(int fd, MemorySegment path, int flags, FileStat into) {
        CallState state = CallState.current();
        MemorySegment room = state.struct().fill((byte) 0);
        try {
            long mask = STATX_BASIC_STATS | STATX_DIOALIGN;
            long result = (long) STATX.invokeExact(state.captured, fd, path, (long) flags, mask, room);
            if ((int) result < 0) {
                return state.negatedErrno();
            }
        } catch (Throwable e) {
            throw unexpected(e);
        }
        into.decode(room);
        return 0;
    }

    private static long call(MethodHandle function, int fd, long a, long b, long c) {
        CallState state = CallState.current();
        try {
            long result = (long) function.invokeExact(state.captured, fd, a, b, c);
            return (int) result >= 0 ? (int) result : state.negatedErrno();
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    private static long control(MethodHandle function, int fd, long command, MemorySegment argument) {
        CallState state = CallState.current();
        try {
            long result = (long) function.invokeExact(state.captured, fd, command, argument);
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
