package dev.cowherd.storage.ring;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/** A real sandbox for the calling thread alone: a seccomp filter that answers one system call with an error, for the thread's life. */
final class SystemCallFilter {
    private static final int PR_SET_SECCOMP = 22;
    private static final int PR_SET_NO_NEW_PRIVS = 38;
    private static final int MODE_FILTER = 2;
    private static final int LOAD_WORD = 0x20;
    private static final int JUMP_IF_EQUAL = 0x15;
    private static final int RETURN = 0x06;
    private static final int ANSWER_ERRNO = 0x0005_0000;
    private static final int ALLOW = 0x7fff_0000;

    private SystemCallFilter() {}

    /** Refuses the system call of a number with an errno from now on. False where the kernel has no filters. */
    static boolean refuse(int number, int errno) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment program = arena.allocate(4 * 8, 8);
            instruction(program, 0, LOAD_WORD, 0, 0, 0);
            instruction(program, 1, JUMP_IF_EQUAL, 0, 1, number);
            instruction(program, 2, RETURN, 0, 0, ANSWER_ERRNO | errno);
            instruction(program, 3, RETURN, 0, 0, ALLOW);
            MemorySegment header = arena.allocate(16, 8);
            header.set(JAVA_SHORT, 0, (short) 4);
            header.set(JAVA_LONG, 8, program.address());
            return prctl(PR_SET_NO_NEW_PRIVS, 1, 0) == 0 && prctl(PR_SET_SECCOMP, MODE_FILTER, header.address()) == 0;
        }
    }

    private static void instruction(MemorySegment program, int index, int code, int yes, int no, int value) {
        long at = index * 8L;
        program.set(JAVA_SHORT, at, (short) code);
        program.set(JAVA_BYTE, at + 2, (byte) yes);
        program.set(JAVA_BYTE, at + 3, (byte) no);
        program.set(JAVA_INT, at + 4, value);
    }

    private static int prctl(long option, long second, long third) {
        Linker linker = Linker.nativeLinker();
        MethodHandle prctl = linker.downcallHandle(
                linker.defaultLookup().find("prctl").orElseThrow(),
                FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG));
        try {
            return (int) prctl.invokeExact(option, second, third, 0L, 0L);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }
}
