package dev.cowherd.storage.linux;

import java.lang.foreign.Arena;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;

/**
 * What one thread needs to make system calls without allocating: the place where errno is captured, an array of
 * iovecs, and room for the small structures that calls fill.
 */
final class CallState {
    /** The kernel's IOV_MAX: the most segments in one vectored call. */
    static final int MAX_IOVECS = 1024;

    private static final long IOVEC_BYTES = 16;
    private static final long STRUCT_BYTES = 256;
    private static final long ERRNO_AT =
            Linker.Option.captureStateLayout().byteOffset(PathElement.groupElement("errno"));
    private static final ThreadLocal<CallState> CURRENT = ThreadLocal.withInitial(CallState::new);

    /** Where the linker stores errno after each call. */
    final MemorySegment captured;

    private @Nullable MemorySegment iovecs;
    private @Nullable MemorySegment struct;

    private CallState() {
        captured = Arena.ofAuto().allocate(Linker.Option.captureStateLayout());
    }

    static CallState current() {
        return CURRENT.get();
    }

    /** The errno of this thread's last failed call, negated: how every call of this package reports failure. */
    long negatedErrno() {
        return -captured.get(ValueLayout.JAVA_INT, ERRNO_AT);
    }

    /** Room for a structure of at most 256 bytes, overwritten by the next user on this thread. */
    MemorySegment struct() {
        MemorySegment room = struct;
        if (room == null) {
            room = Arena.ofAuto().allocate(STRUCT_BYTES, Long.BYTES);
            struct = room;
        }
        return room;
    }

    /** An array of {@link #MAX_IOVECS} iovecs. */
    MemorySegment iovecs() {
        MemorySegment array = iovecs;
        if (array == null) {
            array = Arena.ofAuto().allocate(MAX_IOVECS * IOVEC_BYTES, Long.BYTES);
            iovecs = array;
        }
        return array;
    }

    static void setIovec(MemorySegment array, int index, MemorySegment buffer, long skip) {
        array.set(ValueLayout.JAVA_LONG, index * IOVEC_BYTES, buffer.address() + skip);
        array.set(ValueLayout.JAVA_LONG, index * IOVEC_BYTES + Long.BYTES, buffer.byteSize() - skip);
    }
}
