package dev.cowherd.storage;

import dev.cowherd.storage.fiber.FiberLoop;
import dev.cowherd.storage.fiber.LoopFile;
import dev.cowherd.storage.fiber.PlainTransfers;
import dev.cowherd.storage.linux.FileCalls;
import dev.cowherd.storage.linux.FileKind;
import dev.cowherd.storage.linux.FileStat;
import dev.cowherd.storage.linux.FileSystemStat;
import dev.cowherd.storage.linux.Libc;
import dev.cowherd.storage.linux.Transfers;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A local file or block device, read and written at offsets by the calling thread itself.
 *
 * <p>A read is one system call and allocates nothing. Closing while another thread is inside an operation of the same
 * handle is the caller's fault ({@link Storage#close()}): the number of a closed descriptor may already be
 * another file's. Every operation that begins after close fails, because the number is forgotten before it is given back.
 */
public final class FileStorage implements Storage {
    private static final int CLOSED = -1;
    private static final int SEEK_END = 2;
    private static final int SEEK_DATA = 3;
    private static final int SEEK_HOLE = 4;
    private static final int FALLOC_FL_KEEP_SIZE = 1;
    private static final int FALLOC_FL_PUNCH_HOLE = 2;
    private static final int FALLOC_FL_ZERO_RANGE = 16;
    private static final int SYNC_FILE_RANGE_WRITE = 2;
    /** What is set aside for one file is at most this part of what others find free. */
    private static final long RESERVE_SHARE = 64;

    /** What a kernel, a sandbox or a kind of file says that has no sync_file_range: no error of the bytes. */
    private static final Set<Integer> REFUSALS = Set.of(
            Errno.ENOSYS.number(),
            Errno.EPERM.number(),
            Errno.EINVAL.number(),
            Errno.ESPIPE.number(),
            Errno.EOPNOTSUPP.number());

    private final String name;
    private final Descriptors.Access access;
    private final FileKind kind;
    private final FileCalls calls;
    private final Transfers transfers;
    private final int alignment;
    private volatile int fd;

    /** An {@code alignment} above 1 belongs to a descriptor under O_DIRECT: then all I/O must keep to it. */
    private FileStorage(Descriptors.Access access, FileKind kind, FileCalls calls, int alignment, int fd) {
        this.name = access.name();
        this.access = access;
        this.kind = kind;
        this.calls = calls;
        this.transfers = new Transfers(calls, alignment);
        this.alignment = alignment;
        this.fd = fd;
    }

    /**
     * Opens a file or block device and takes its image locks.
     *
     * @param path the file; symbolic links are followed
     * @param options how to open it
     * @return the storage; the caller closes it
     * @throws IOException as {@link StorageException} with one clear line: if the file is missing or of a kind without bytes at
     *     offsets, if permission or a descriptor is lacking, or if another user of the image holds a lock against this one
     */
    public static Storage open(Path path, FileOptions options) throws IOException {
        return open(path, options, null);
    }

    /**
     * Like {@link #open(Path, FileOptions)}, but lets the caller refuse the file that was really opened. A judgement of the path
     * before the open says nothing certain: whoever may change a folder on the way can lead the path elsewhere in between.
     *
     * @param path the file; symbolic links are followed
     * @param options how to open it
     * @param judge called once with where the opened file lies, before it is locked and before a byte of it is
     *     read; null to accept every file
     * @return the storage; the caller closes it
     * @throws IOException as there, or what the judge throws; nothing stays open then
     */
    public static Storage open(Path path, FileOptions options, @Nullable Judge judge) throws IOException {
        return open(path, options, judge, Libc.HOST);
    }

    /** The same; a test may stand between the open file and the kernel. */
    static Storage open(Path path, FileOptions options, @Nullable Judge judge, FileCalls calls) throws IOException {
        String name = path.toString();
        Descriptors.Access access = new Descriptors.Access(name, options);
        Descriptors.Opened opened = access.open();
        try {
            if (judge != null) {
                judge.judge(access.whereabouts(opened.fd()));
            }
            ImageLocks.acquire(opened.fd(), name, options.lock());
            if (!options.cacheMode().direct()) {
                return new FileStorage(access, opened.kind(), calls, 1, opened.fd());
            }
            int alignment = DirectAlignment.probe(opened.fd());
            return new DirectStorage(new FileStorage(access, opened.kind(), calls, alignment, opened.fd()), alignment);
        } catch (IOException | RuntimeException e) {
            Libc.HOST.close(opened.fd());
            throw e;
        }
    }

    /** Says no to a file by throwing. */
    @FunctionalInterface
    public interface Judge {
        /**
         * Judges a file that was just opened.
         *
         * @param real where it lies, free of symbolic links
         * @throws IOException if it must not be used
         */
        void judge(Path real) throws IOException;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public long sizeBytes() throws IOException {
        return checked("lseek", -1, Libc.HOST.lseek(descriptor(), 0, SEEK_END));
    }

    @Override
    public long allocatedBytes() throws IOException {
        if (kind == FileKind.BLOCK_DEVICE) {
            return sizeBytes();
        }
        FileStat stat = new FileStat();
        checked("statx", -1, Libc.HOST.stat(descriptor(), stat));
        return stat.allocatedBytes();
    }

    @Override
    public long read(long offset, MemorySegment destination) throws IOException {
        return checked("pread", offset, transfers.read(descriptor(), offset, destination));
    }

    @Override
    public long readv(long offset, MemorySegment[] destinations, int count) throws IOException {
        if (count == 1) {
            return read(offset, destinations[0]);
        }
        return checked("preadv", offset, transfers.readv(descriptor(), offset, destinations, count));
    }

    @Override
    public void write(long offset, MemorySegment source) throws IOException {
        checked("pwrite", offset, transfers.write(writableDescriptor(), offset, source));
    }

    @Override
    public void writev(long offset, MemorySegment[] sources, int count) throws IOException {
        if (count == 1) {
            write(offset, sources[0]);
        } else {
            checked("pwritev", offset, transfers.writev(writableDescriptor(), offset, sources, count));
        }
    }

    @Override
    public boolean beginRead(PlainTransfers by, long offset, MemorySegment destination, long token) throws IOException {
        return calls instanceof LoopFile file && isOpen() && by.read(file, offset, destination, token);
    }

    @Override
    public boolean beginWrite(PlainTransfers by, long offset, MemorySegment source, long token) throws IOException {
        return calls instanceof LoopFile file
                && isOpen()
                && access.options().writable()
                && by.write(file, offset, source, token);
    }

    @Override
    public void zero(long offset, long length) throws IOException {
        if (!tryZero(offset, length)) {
            Holes.writeZeros(this, offset, offset + length);
        }
    }

    /** Zeros a run without moving bytes, growing the file: false if the host cannot do so here, or not at these places. */
    boolean tryZero(long offset, long length) throws IOException {
        return tryFallocate(FALLOC_FL_ZERO_RANGE, offset, length);
    }

    @Override
    public void allocate(long offset, long length) throws IOException {
        if (!tryAllocate(offset, length)) {
            Holes.writeZeros(this, Math.max(offset, sizeBytes()), offset + length);
        }
    }

    /** Takes space for a run: false if the host cannot. A block device has its space already. */
    boolean tryAllocate(long offset, long length) throws IOException {
        if (kind == FileKind.BLOCK_DEVICE && offset >= 0 && length >= 0 && length <= sizeBytes() - offset) {
            writableDescriptor();
            return true;
        }
        return tryFallocate(0, offset, length);
    }

    @Override
    public void punchHole(long offset, long length) throws IOException {
        if (!tryPunch(offset, length)) {
            Holes.writeZerosInside(this, this, offset, length);
        }
    }

    /** Punches a run out of the file: false if the host cannot do so here, or not at these places. */
    boolean tryPunch(long offset, long length) throws IOException {
        return tryFallocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length)
                || tryFallocate(FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, offset, length);
    }

    /** A device refuses places that are not whole blocks of its own, where plain writes still work. */
    private boolean tryFallocate(int mode, long offset, long length) throws IOException {
        long result = transfers.fallocate(writableDescriptor(), mode, offset, length);
        boolean device = kind == FileKind.BLOCK_DEVICE;
        if (result == -Errno.EOPNOTSUPP.number()
                || (device && result == -Errno.ENODEV.number())
                || (device && result == -Errno.EINVAL.number() && offset >= 0 && length > 0)) {
            return false;
        }
        checked("fallocate", offset, result);
        return true;
    }

    /** The blocks in bytes that {@link #tryPunch} works on: a device's own, any bytes of a file. */
    long punchGranularity() throws IOException {
        return kind == FileKind.BLOCK_DEVICE ? DirectAlignment.logicalBlockBytes(descriptor()) : 1;
    }

    @Override
    public void truncate(long sizeBytes) throws IOException {
        int open = writableDescriptor();
        if (kind == FileKind.BLOCK_DEVICE) {
            if (sizeBytes > sizeBytes()) {
                throw new StorageException(
                        "truncate", name, sizeBytes, Errno.ENOSPC.number(), "a block device cannot grow");
            }
            return;
        }
        checked("ftruncate", sizeBytes, transfers.ftruncate(open, sizeBytes));
    }

    @Override
    public void sync() throws IOException {
        int open = descriptor();
        if (!access.options().cacheMode().ignoresSync()) {
            checked("fdatasync", -1, transfers.fdatasync(open));
        }
    }

    /** Where writes are durable at once, or never, there is nothing to begin. */
    @Override
    public void startWriteback(long offset, long length) throws IOException {
        int open = writableDescriptor();
        if (!access.options().cacheMode().equals(CacheMode.WRITEBACK)) {
            return;
        }
        // Without its flags for waiting: those take note of an error that the next sync would not hear of then.
        long result = transfers.syncFileRange(open, offset, length, SYNC_FILE_RANGE_WRITE);
        boolean refused = REFUSALS.contains((int) -result);
        if (!refused) {
            checked("sync_file_range", offset, result);
        }
    }

    /**
     * Only ext4 gains by it: it looks for space block by block at each write past what it has, and finds all of a reserve at once. XFS sets
     * space aside by itself; tmpfs would take memory for it, and btrfs writes elsewhere all the same.
     */
    @Override
    public boolean reserve(long offset, long length) throws IOException {
        int open = writableDescriptor();
        if (kind != FileKind.REGULAR) {
            return false;
        }
        FileSystemStat host = new FileSystemStat();
        return Libc.HOST.statFileSystem(open, host) == 0
                && host.type() == FileSystemStat.EXT4
                && host.availableBytes() / RESERVE_SHARE >= length
                && transfers.fallocate(open, FALLOC_FL_KEEP_SIZE, offset, length) == 0;
    }

    /** Cutting a file to the size it has frees what lies behind; punching holes there does nothing. */
    @Override
    public void releaseReserve() throws IOException {
        int open = writableDescriptor();
        if (kind == FileKind.REGULAR) {
            checked("ftruncate", -1, transfers.ftruncate(open, sizeBytes()));
        }
    }

    @Override
    public HostRange rangeAt(long offset) throws IOException {
        long size = sizeBytes();
        if (offset < 0 || offset >= size) {
            throw new IndexOutOfBoundsException(
                    name + ": offset " + offset + " is outside the storage of " + size + " bytes");
        }
        int open = descriptor();
        long data = Libc.HOST.lseek(open, offset, SEEK_DATA);
        if (data == -Errno.ENXIO.number()) {
            return new HostRange(false, size - offset);
        }
        if (data == -Errno.EINVAL.number()) {
            return new HostRange(true, size - offset);
        }
        checked("lseek", offset, data);
        if (data > offset) {
            return new HostRange(false, Math.min(data, size) - offset);
        }
        long hole = checked("lseek", offset, Libc.HOST.lseek(open, offset, SEEK_HOLE));
        return new HostRange(true, Math.min(hole, size) - offset);
    }

    @Override
    public int preferredAlignment() {
        return alignment;
    }

    @Override
    public FileStorage reopen() throws IOException {
        return new FileStorage(access, kind, calls, alignment, access.reopen(descriptor()));
    }

    @Override
    public FileStorage reopenFor(FiberLoop loop) throws IOException {
        int opened = access.reopen(descriptor());
        try {
            return new FileStorage(access, kind, calls.over(loop.file(opened)), alignment, opened);
        } catch (IOException | RuntimeException e) {
            Libc.HOST.close(opened);
            throw e;
        }
    }

    @Override
    public void close() throws IOException {
        int open;
        synchronized (this) {
            open = fd;
            fd = CLOSED;
        }
        if (open != CLOSED) {
            checked("close", -1, Libc.HOST.close(open));
        }
    }

    @Override
    public String toString() {
        return name;
    }

    private int descriptor() throws IOException {
        int open = fd;
        if (open == CLOSED) {
            throw new StorageException("use", name, -1, Errno.EBADF.number(), "the storage is closed");
        }
        return open;
    }

    private boolean isOpen() {
        return fd != CLOSED;
    }

    private int writableDescriptor() throws IOException {
        int open = descriptor();
        if (!access.options().writable()) {
            throw new StorageException("change", name, -1, Errno.EBADF.number(), "the storage was opened read-only");
        }
        return open;
    }

    private long checked(String operation, long offset, long result) throws IOException {
        if (result < 0) {
            throw StorageException.of(operation, name, offset, (int) -result);
        }
        return result;
    }
}
