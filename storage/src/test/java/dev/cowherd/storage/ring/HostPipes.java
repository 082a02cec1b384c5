package dev.cowherd.storage.ring;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import dev.cowherd.storage.linux.Libc;
import dev.cowherd.storage.linux.RingSystemCalls;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** Pipes and sockets of the host as bare descriptors. */
final class HostPipes {
    private static final int AF_UNIX = 1;
    private static final int SOCK_STREAM = 1;
    private static final FunctionDescriptor SHAPE =
            FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG);

    private HostPipes() {}

    /** Two descriptors: of a pipe the end to read and the end to write. */
    record Pair(int first, int second) implements AutoCloseable {
        @Override
        public void close() {
            Libc.HOST.close(first);
            Libc.HOST.close(second);
        }
    }

    static Pair pipe() {
        return pair(at -> call("pipe2", at, 0, 0, 0));
    }

    static Pair sockets() {
        return pair(at -> call("socketpair", AF_UNIX, SOCK_STREAM, 0, at));
    }

    /** A socket that listens at a path. */
    static int listener(Path path) {
        int fd = call("socket", AF_UNIX, SOCK_STREAM, 0, 0);
        byte[] name = path.toString().getBytes(StandardCharsets.UTF_8);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment address = arena.allocate(110);
            address.set(JAVA_SHORT, 0, (short) AF_UNIX);
            MemorySegment.copy(name, 0, address, JAVA_BYTE, 2, name.length);
            call("bind", fd, address.address(), 3L + name.length, 0);
            call("listen", fd, 16, 0, 0);
        }
        return fd;
    }

    static void write(int fd, int bytes, int value) {
        try (Arena arena = Arena.ofConfined()) {
            long written = RingSystemCalls.HOST.write(fd, arena.allocate(bytes).fill((byte) value));
            if (written != bytes) {
                throw new IllegalStateException("wrote " + written + " of " + bytes + " bytes");
            }
        }
    }

    private interface Maker {
        int make(long at);
    }

    private static Pair pair(Maker maker) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment two = arena.allocate(JAVA_INT, 2);
            maker.make(two.address());
            return new Pair(two.get(JAVA_INT, 0), two.get(JAVA_INT, 4));
        }
    }

    private static int call(String function, long a, long b, long c, long d) {
        Linker linker = Linker.nativeLinker();
        MethodHandle handle =
                linker.downcallHandle(linker.defaultLookup().find(function).orElseThrow(), SHAPE);
        try {
            int result = (int) handle.invokeExact(a, b, c, d);
            if (result < 0) {
                throw new IllegalStateException(function + " failed");
            }
            return result;
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }
}
