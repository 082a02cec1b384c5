package dev.cowherd.bench;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;

/**
 * The floor to measure against: a descriptor and the pread and pwrite system calls, nothing between. Shares no code with the
 * engine.
 */
final class BareFile {
    private static final Linker LINKER = Linker.nativeLinker();
    private static final MethodHandle OPEN =
            handle("open", FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_INT));
    private static final FunctionDescriptor ON_DESCRIPTOR =
            FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT);
    private static final MethodHandle CLOSE = handle("close", ON_DESCRIPTOR);
    private static final MethodHandle FDATASYNC = handle("fdatasync", ON_DESCRIPTOR);
    private static final FunctionDescriptor TRANSFER = FunctionDescriptor.of(
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_INT,
            ValueLayout.ADDRESS,
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_LONG);
    private static final MethodHandle PREAD = handle("pread", TRANSFER);
    private static final MethodHandle PWRITE = handle("pwrite", TRANSFER);
    private static final int READ_WRITE = 2;

    private final int descriptor;

    BareFile(Path file) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            descriptor = (int) OPEN.invokeExact(arena.allocateFrom(file.toString()), READ_WRITE);
        } catch (Throwable e) {
            throw new IOException("open " + file, e);
        }
        if (descriptor < 0) {
            throw new IOException("cannot open " + file);
        }
    }

    void read(long offset, MemorySegment destination) throws IOException {
        long read;
        try {
            read = (long) PREAD.invokeExact(descriptor, destination, destination.byteSize(), offset);
        } catch (Throwable e) {
            throw new IOException("pread", e);
        }
        if (read != destination.byteSize()) {
            throw new IOException("pread at " + offset + " gave " + read);
        }
    }

    void write(long offset, MemorySegment source) throws IOException {
        long written;
        try {
            written = (long) PWRITE.invokeExact(descriptor, source, source.byteSize(), offset);
        } catch (Throwable e) {
            throw new IOException("pwrite", e);
        }
        if (written != source.byteSize()) {
            throw new IOException("pwrite at " + offset + " gave " + written);
        }
    }

    void sync() throws IOException {
        succeed("fdatasync", FDATASYNC);
    }

    void close() throws IOException {
        succeed("close", CLOSE);
    }

    private void succeed(String call, MethodHandle handle) throws IOException {
        int result;
        try {
            result = (int) handle.invokeExact(descriptor);
        } catch (Throwable e) {
            throw new IOException(call, e);
        }
        if (result < 0) {
            throw new IOException(call + " failed");
        }
    }

    private static MethodHandle handle(String name, FunctionDescriptor signature) {
        return LINKER.downcallHandle(LINKER.defaultLookup().find(name).orElseThrow(), signature);
    }
}
