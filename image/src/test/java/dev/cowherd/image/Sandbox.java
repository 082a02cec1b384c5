package dev.cowherd.image;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/** A filter of system calls (seccomp) on the calling thread, for the rest of its life. */
final class Sandbox {
    private static final long PR_SET_SECCOMP = 22;
    private static final long PR_SET_NO_NEW_PRIVS = 38;
    private static final long MODE_FILTER = 2;

    private Sandbox() {}

    /** Answers a system call with an errno from now on. False where the kernel has no filters. */
    static boolean refuse(int number, int errno) {
        // Load the number; if it is the one, answer the error; else let it through. Code and jumps, then the operand.
        int[] program = {
            0x20, 0, 0x0100_0015, number, 0x06, 0x0005_0000 | errno, 0x06, 0x7fff_0000,
        };
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment code = arena.allocateFrom(ValueLayout.JAVA_INT, program);
            MemorySegment header = arena.allocate(16, 8);
            header.set(ValueLayout.JAVA_SHORT, 0, (short) (program.length / 2));
            header.set(ValueLayout.JAVA_LONG, 8, code.address());
            return prctl(PR_SET_NO_NEW_PRIVS, 1, 0) == 0 && prctl(PR_SET_SECCOMP, MODE_FILTER, header.address()) == 0;
        }
    }

    private static int prctl(long option, long second, long third) {
        Linker linker = Linker.nativeLinker();
        ValueLayout.OfLong word = ValueLayout.JAVA_LONG;
        MethodHandle prctl = linker.downcallHandle(
                linker.defaultLookup().find("prctl").orElseThrow(),
                FunctionDescriptor.of(ValueLayout.JAVA_INT, word, word, word, word, word));
        try {
            return (int) prctl.invokeExact(option, second, third, 0L, 0L);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }
}
