package dev.cowherd.storage;

import dev.cowherd.storage.linux.FileCalls;
import dev.cowherd.storage.linux.Libc;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;

/**
 * The kernel under open files, with one habit of kernels that one seldom sees: from the k-th call on, or at that one only, calls are
 * interrupted before they do anything, or move a part of the bytes. Syncs do nothing. For one thread.
 */
public final class UnsteadyKernel {
    private static final long EINTR = -4;
    private static final long ENOSPC = -28;

    /** What befalls a call. */
    public enum Trouble {
        /** EINTR; the next call is let through. */
        INTERRUPTED,
        /** About half of the bytes are moved. */
        SHORT,
        /** Half of a write is done, and for the rest the disk is full. */
        SHORT_THEN_FULL
    }

    private final Trouble trouble;
    private final long number;
    private final boolean once;
    private final int alignment;
    private final Set<String> hit = new TreeSet<>();
    private final Calls host = new Calls(Libc.HOST);
    private boolean armed;
    private long calls;

    /** Trouble at the call of this number, counted from {@link #arm} on; a transfer under O_DIRECT stops at a whole block. */
    public UnsteadyKernel(Trouble trouble, long number, boolean once, int alignment) {
        this.trouble = trouble;
        this.number = number;
        this.once = once;
        this.alignment = alignment;
    }

    /** Opens a file on this kernel. */
    public Storage open(Path path, FileOptions options) throws IOException {
        return FileStorage.open(path, options, null, host);
    }

    /** Begins to count. */
    public void arm() {
        armed = true;
    }

    /** All is well from now on. */
    public void calm() {
        armed = false;
    }

    /** The calls that met with trouble, by name. */
    public Set<String> hit() {
        return hit;
    }

    /** Whether a request must hear of the trouble. */
    public boolean isFatal() {
        return trouble == Trouble.SHORT_THEN_FULL;
    }

    @Override
    public String toString() {
        return trouble + " at call " + number + (once ? "" : " and after");
    }

    /** The calls on all files, or on one by a ring. What comes after a call that was hit is kept for each request in flight. */
    private final class Calls implements FileCalls {
        private final FileCalls next;
        private boolean interrupted;
        private boolean full;

        Calls(FileCalls next) {
            this.next = next;
        }

        @Override
        public FileCalls over(FileCalls ring) {
            return new Calls(ring);
        }

        private boolean strikes(String call, boolean able) {
            if (!armed || !able) {
                return false;
            }
            if (interrupted) {
                interrupted = false;
                return false;
            }
            calls++;
            if (once ? calls != number : calls < number) {
                return false;
            }
            hit.add(call);
            interrupted = trouble == Trouble.INTERRUPTED;
            return true;
        }

        private boolean interrupts(String call) {
            return strikes(call, trouble == Trouble.INTERRUPTED);
        }

        /** How many of so many bytes are moved. */
        private long part(String call, long bytes) {
            boolean write = call.startsWith("pwrite");
            boolean able = trouble == Trouble.SHORT || (trouble == Trouble.SHORT_THEN_FULL && write);
            // What a full disk has taken of a write are whole sectors.
            int unit = trouble == Trouble.SHORT_THEN_FULL ? Math.max(alignment, 512) : alignment;
            long half = bytes / 2 / unit * unit;
            if (half == 0 || !strikes(call, able)) {
                return bytes;
            }
            full = trouble == Trouble.SHORT_THEN_FULL;
            return half;
        }

        /** The disk is full for the one call after a short write. */
        private boolean isFull() {
            boolean was = full;
            full = false;
            return was;
        }

        @Override
        public long pread(int fd, MemorySegment buffer, long offset) {
            return interrupts("pread")
                    ? EINTR
                    : next.pread(fd, buffer.asSlice(0, part("pread", buffer.byteSize())), offset);
        }

        @Override
        public long pwrite(int fd, MemorySegment buffer, long offset) {
            if (isFull()) {
                return ENOSPC;
            }
            return interrupts("pwrite")
                    ? EINTR
                    : next.pwrite(fd, buffer.asSlice(0, part("pwrite", buffer.byteSize())), offset);
        }

        @Override
        public long preadv(int fd, MemorySegment[] buffers, int first, int count, long skip, long offset) {
            if (interrupts("preadv")) {
                return EINTR;
            }
            long rest = buffers[first].byteSize() - skip;
            long part = part("preadv", count == 1 ? rest : 2 * rest);
            return part == (count == 1 ? rest : 2 * rest)
                    ? next.preadv(fd, buffers, first, count, skip, offset)
                    : next.pread(fd, buffers[first].asSlice(skip, part), offset);
        }

        @Override
        public long pwritev(int fd, MemorySegment[] buffers, int first, int count, long skip, long offset) {
            if (isFull()) {
                return ENOSPC;
            }
            if (interrupts("pwritev")) {
                return EINTR;
            }
            // Short by all but a part of the first buffer.
            long rest = buffers[first].byteSize() - skip;
            long part = part("pwritev", rest);
            return part == rest
                    ? next.pwritev(fd, buffers, first, count, skip, offset)
                    : next.pwrite(fd, buffers[first].asSlice(skip, part), offset);
        }

        @Override
        public long fallocate(int fd, int mode, long offset, long length) {
            return interrupts("fallocate") ? EINTR : next.fallocate(fd, mode, offset, length);
        }

        @Override
        public long fdatasync(int fd) {
            return interrupts("fdatasync") ? EINTR : 0;
        }

        @Override
        public long syncFileRange(int fd, long offset, long length, int flags) {
            return interrupts("sync_file_range") ? EINTR : next.syncFileRange(fd, offset, length, flags);
        }

        @Override
        public long ftruncate(int fd, long length) {
            return interrupts("ftruncate") ? EINTR : next.ftruncate(fd, length);
        }

        @Override
        public long open(String path, int flags, int mode) {
            return next.open(path, flags, mode);
        }
    }
}
