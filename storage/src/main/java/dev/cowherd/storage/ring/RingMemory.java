package dev.cowherd.storage.ring;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import dev.cowherd.storage.Errno;
import dev.cowherd.storage.linux.RingCalls;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;

/**
 * A ring of the kernel and its mapped memory: sets it up with the best flags that this kernel has, and takes it down. Using the
 * memory afterwards, or from another thread, fails.
 */
final class RingMemory {
    /** The flags that kernels have had since 6.6, 6.1, 5.19 and 5.5, tried in this order. */
    private static final int[] FLAGS = {
        Uapi.SETUP_SUBMIT_ALL
                | Uapi.SETUP_SINGLE_ISSUER
                | Uapi.SETUP_DEFER_TASKRUN
                | Uapi.SETUP_TASKRUN_FLAG
                | Uapi.SETUP_NO_SQARRAY,
        Uapi.SETUP_SUBMIT_ALL | Uapi.SETUP_SINGLE_ISSUER | Uapi.SETUP_DEFER_TASKRUN | Uapi.SETUP_TASKRUN_FLAG,
        Uapi.SETUP_SUBMIT_ALL | Uapi.SETUP_COOP_TASKRUN | Uapi.SETUP_TASKRUN_FLAG,
        0
    };

    private static final int NEEDED = Uapi.FEAT_SINGLE_MMAP
            | Uapi.FEAT_NODROP
            | Uapi.FEAT_SUBMIT_STABLE
            | Uapi.FEAT_FAST_POLL
            | Uapi.FEAT_EXT_ARG;

    // struct io_uring_params
    private static final long SQ_ENTRIES_AT = 0;
    private static final long CQ_ENTRIES_AT = 4;
    private static final long FLAGS_AT = 8;
    private static final long FEATURES_AT = 20;
    private static final long SQ_HEAD_AT = 40;
    private static final long SQ_TAIL_AT = 44;
    private static final long SQ_FLAGS_AT = 56;
    private static final long SQ_ARRAY_AT = 64;
    private static final long CQ_HEAD_AT = 80;
    private static final long CQ_TAIL_AT = 84;
    private static final long CQ_ENTRIES_OFFSET_AT = 100;

    private final RingCalls calls;
    private final Arena arena = Arena.ofConfined();
    private final MemorySegment params;
    private MemorySegment rings = MemorySegment.NULL;
    private MemorySegment entries = MemorySegment.NULL;

    /** The ring's descriptor. */
    final int fd;

    private RingMemory(RingCalls calls, RingOptions options) throws RingRefusedException {
        this.calls = calls;
        this.params = arena.allocate(Uapi.PARAMS_BYTES, Long.BYTES);
        this.fd = setup(options);
    }

    static RingMemory open(RingCalls calls, RingOptions options) throws RingRefusedException {
        if (ByteOrder.nativeOrder() != ByteOrder.LITTLE_ENDIAN) {
            throw new RingRefusedException(
                    RingRefusedException.Reason.OTHER, 0, "requests are laid out here for little-endian machines only");
        }
        RingMemory memory = new RingMemory(calls, options);
        try {
            memory.map();
            return memory;
        } catch (RingRefusedException | RuntimeException | Error e) {
            memory.close();
            throw e;
        }
    }

    private int setup(RingOptions options) throws RingRefusedException {
        long result = 0;
        for (int flags : FLAGS) {
            params.fill((byte) 0);
            params.set(JAVA_INT, FLAGS_AT, flags | Uapi.SETUP_CQSIZE);
            params.set(JAVA_INT, CQ_ENTRIES_AT, options.completions());
            result = calls.setup(options.entries(), params);
            if (result != -Errno.EINVAL.number()) {
                break;
            }
        }
        if (result < 0) {
            arena.close();
            throw RingRefusedException.of("io_uring_setup", (int) -result);
        }
        return (int) result;
    }

    private void map() throws RingRefusedException {
        if ((params.get(JAVA_INT, FEATURES_AT) & NEEDED) != NEEDED) {
            throw new RingRefusedException(
                    RingRefusedException.Reason.TOO_OLD, 0, "this kernel's is too old (Linux 5.11 or later is needed)");
        }
        int submissions = params.get(JAVA_INT, SQ_ENTRIES_AT);
        long completionsEnd = at(CQ_ENTRIES_OFFSET_AT) + params.get(JAVA_INT, CQ_ENTRIES_AT) * Uapi.CQE_BYTES;
        long arrayEnd = hasArray() ? at(SQ_ARRAY_AT) + (long) submissions * Integer.BYTES : 0;
        rings = map(Math.max(completionsEnd, arrayEnd), Uapi.OFF_RINGS);
        entries = map(submissions * Uapi.SQE_BYTES, Uapi.OFF_SQES);
        if (hasArray()) {
            // Request i of the ring is always entry i.
            for (int i = 0; i < submissions; i++) {
                rings.set(JAVA_INT, at(SQ_ARRAY_AT) + (long) i * Integer.BYTES, i);
            }
        }
    }

    private MemorySegment map(long bytes, long part) throws RingRefusedException {
        long address = calls.map(fd, bytes, part);
        if (address < 0) {
            throw RingRefusedException.of("mmap of a ring", (int) -address);
        }
        return MemorySegment.ofAddress(address)
                .reinterpret(bytes, arena, mapped -> calls.unmap(mapped.address(), mapped.byteSize()));
    }

    private boolean hasArray() {
        return (flags() & Uapi.SETUP_NO_SQARRAY) == 0;
    }

    private long at(long parameter) {
        return Integer.toUnsignedLong(params.get(JAVA_INT, parameter));
    }

    /** The flags that the kernel agreed to. */
    int flags() {
        return params.get(JAVA_INT, FLAGS_AT);
    }

    /** Memory that lives as long as the ring's. */
    MemorySegment allocate(long bytes, long alignment) {
        return arena.allocate(bytes, alignment);
    }

    SubmissionQueue submissions() {
        return new SubmissionQueue(rings, entries, at(SQ_HEAD_AT), at(SQ_TAIL_AT), at(SQ_FLAGS_AT));
    }

    CompletionQueue completions() {
        int size = params.get(JAVA_INT, CQ_ENTRIES_AT);
        return new CompletionQueue(rings, at(CQ_HEAD_AT), at(CQ_TAIL_AT), at(CQ_ENTRIES_OFFSET_AT), size);
    }

    /** Gives descriptor and memory back. Nothing is in flight any more. */
    void close() {
        calls.close(fd);
        arena.close();
    }
}
