package dev.cowherd.storage.linux;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.lang.ref.Reference;

/**
 * The calls of io_uring, bound once. The C library has no functions for them, so they go through {@code syscall}; their numbers
 * are the same on every architecture.
 *
 * <p>As in {@link Libc}, all functions share one shape: whole numbers in, a whole number out. What a function does not ask for
 * is ignored.
 */
public final class RingSystemCalls implements RingCalls {
    /** The running kernel. */
    public static final RingSystemCalls HOST = new RingSystemCalls();

    private static final long SETUP = 425;
    private static final long ENTER = 426;
    private static final long REGISTER = 427;
    private static final long PROT_READ_WRITE = 3;
    private static final long MAP_SHARED_POPULATE = 0x8001;
    private static final long EFD_CLOEXEC = 0x80000;

    private static final Linker LINKER = Linker.nativeLinker();
    private static final FunctionDescriptor SHAPE = FunctionDescriptor.of(
            JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG);
    private static final MethodHandle SYSCALL = bind("syscall");
    private static final MethodHandle MMAP = bind("mmap");
    private static final MethodHandle MUNMAP = bind("munmap");
    private static final MethodHandle EVENTFD = bind("eventfd");
    private static final MethodHandle WRITE = bind("write");

    private RingSystemCalls() {}

    private static MethodHandle bind(String function) {
        MemorySegment address = LINKER.defaultLookup()
                .find(function)
                .orElseThrow(() -> new UnsatisfiedLinkError("the C library has no " + function));
        return LINKER.downcallHandle(address, SHAPE, Linker.Option.captureCallState("errno"));
    }

    @Override
    public long setup(int entries, MemorySegment params) {
        try {
            return orErrno(call(SYSCALL, SETUP, entries, params.address(), 0, 0, 0, 0));
        } finally {
            Reference.reachabilityFence(params);
        }
    }

    @Override
    public long enter(int ring, int toSubmit, int minComplete, int flags, MemorySegment argument) {
        long size = argument.byteSize();
        try {
            return orErrno(call(SYSCALL, ENTER, ring, toSubmit, minComplete, flags, addressOrNull(argument), size));
        } finally {
            Reference.reachabilityFence(argument);
        }
    }

    @Override
    public long register(int ring, int operation, MemorySegment argument, int count) {
        try {
            return orErrno(call(SYSCALL, REGISTER, ring, operation, addressOrNull(argument), count, 0, 0));
        } finally {
            Reference.reachabilityFence(argument);
        }
    }

    @Override
    public long map(int ring, long bytes, long part) {
        return orErrno(call(MMAP, 0, bytes, PROT_READ_WRITE, MAP_SHARED_POPULATE, ring, part, 0));
    }

    @Override
    public long unmap(long address, long bytes) {
        int result = (int) call(MUNMAP, address, bytes, 0, 0, 0, 0, 0);
        return orErrno(result);
    }

    @Override
    public long eventfd() {
        int result = (int) call(EVENTFD, 0, EFD_CLOEXEC, 0, 0, 0, 0, 0);
        return orErrno(result);
    }

    @Override
    public long write(int fd, MemorySegment source) {
        try {
            return orErrno(call(WRITE, fd, source.address(), source.byteSize(), 0, 0, 0, 0));
        } finally {
            Reference.reachabilityFence(source);
        }
    }

    @Override
    public long close(int fd) {
        return Libc.HOST.close(fd);
    }

    private static long addressOrNull(MemorySegment argument) {
        return argument.byteSize() == 0 ? 0 : argument.address();
    }

    private static long orErrno(long result) {
        return result == -1 ? CallState.current().negatedErrno() : result;
    }

    /** What the function left in the register: of an int only the lower half counts. */
    private static long call(MethodHandle function, long a, long b, long c, long d, long e, long f, long g) {
        try {
            return (long) function.invokeExact(CallState.current().captured, a, b, c, d, e, f, g);
        } catch (RuntimeException | Error unexpected) {
            throw unexpected;
        } catch (Throwable checked) {
            throw new IllegalStateException("a system call threw a checked exception", checked);
        }
    }
}
