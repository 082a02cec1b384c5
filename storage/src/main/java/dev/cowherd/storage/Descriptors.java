package dev.cowherd.storage;

import dev.cowherd.storage.linux.FileKind;
import dev.cowherd.storage.linux.FileStat;
import dev.cowherd.storage.linux.FileSystemStat;
import dev.cowherd.storage.linux.Libc;
import dev.cowherd.storage.linux.Transfers;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/** Opens descriptors: judges what a name stands for before it is opened, and opens further descriptions of an open file. */
final class Descriptors {
    private static final int O_RDWR = 2;
    private static final int O_CREAT = 0x40;
    private static final int O_NONBLOCK = 0x800;
    private static final int O_DSYNC = 0x1000;
    private static final int O_CLOEXEC = 0x80000;
    private static final int NEW_FILE_MODE = 0644;
    private static final long PROC_MAGIC = 0x9fa0;
    private static final long SYSFS_MAGIC = 0x62656572;

    private static final Transfers TRANSFERS = new Transfers(Libc.HOST, 1);

    private Descriptors() {}

    /** O_DIRECT, the one flag here whose bit differs between architectures. */
    private static int directFlag() {
        String architecture = System.getProperty("os.arch");
        return switch (architecture) {
            case "amd64", "x86_64", "riscv64", "s390x", "loongarch64" -> 0x4000;
            case "aarch64" -> 0x10000;
            case "ppc64le" -> 0x20000;
            default -> throw new UnsupportedOperationException("O_DIRECT is not known on " + architecture);
        };
    }

    /**
     * A descriptor and what it leads to.
     *
     * @param fd the descriptor, owned by whoever holds this record
     * @param kind regular file or block device
     */
    record Opened(int fd, FileKind kind) {}

    /**
     * How one file is opened, the first time and again.
     *
     * @param name the path as the user gave it
     * @param options what the user asked for
     */
    record Access(String name, FileOptions options) {
        /**
         * Opens the path. What it stands for is looked at first, because only opening some devices has effects already; O_NONBLOCK
         * keeps a named pipe that slips in between from hanging us.
         */
        Opened open() throws IOException {
            FileStat stat = new FileStat();
            if (Libc.HOST.stat(name, stat) == 0) {
                requireBytes(stat.kind());
            }
            int flags = flags() | O_NONBLOCK | (options.create() ? O_CREAT : 0);
            long result = TRANSFERS.open(name, flags, NEW_FILE_MODE);
            if (result == -Errno.EINVAL.number() && options.cacheMode().direct()) {
                throw new StorageException(
                        "open",
                        name,
                        -1,
                        Errno.EINVAL.number(),
                        "the file system does not support O_DIRECT, which cache mode " + options.cacheMode()
                                + " needs; use cache mode writeback");
            }
            int fd = (int) checked("open", result);
            try {
                checked("statx", Libc.HOST.stat(fd, stat));
                requireBytes(stat.kind());
                FileSystemStat fileSystem = new FileSystemStat();
                boolean known = Libc.HOST.statFileSystem(fd, fileSystem) == 0;
                if (known && (fileSystem.type() == PROC_MAGIC || fileSystem.type() == SYSFS_MAGIC)) {
                    throw refused("is made up by the kernel; name a file or block device");
                }
                return new Opened(fd, stat.kind());
            } catch (IOException | RuntimeException e) {
                Libc.HOST.close(fd);
                throw e;
            }
        }

        /**
         * Opens another description of an open file. Going through /proc finds the file also when it was renamed; without /proc the
         * path must still lead to it.
         */
        int reopen(int fd) throws IOException {
            long again = TRANSFERS.open("/proc/self/fd/" + fd, flags(), 0);
            if (again != -Errno.ENOENT.number()) {
                return (int) checked("open", again);
            }
            int byPath = (int) checked("open", TRANSFERS.open(name, flags() | O_NONBLOCK, 0));
            FileStat first = new FileStat();
            FileStat second = new FileStat();
            if (Libc.HOST.stat(fd, first) < 0 || Libc.HOST.stat(byPath, second) < 0 || !first.isSameFile(second)) {
                Libc.HOST.close(byPath);
                throw refused("has been replaced by another file since it was opened");
            }
            return byPath;
        }

        /**
         * Where the file behind a descriptor lies, free of symbolic links: the kernel says it, whatever the path leads to by now.
         * Without /proc the path is followed again and must still lead to the file.
         */
        Path whereabouts(int fd) throws IOException {
            try {
                return Files.readSymbolicLink(Path.of("/proc/self/fd/" + fd));
            } catch (NoSuchFileException e) {
                Path real = Path.of(name).toRealPath();
                FileStat opened = new FileStat();
                FileStat found = new FileStat();
                if (Libc.HOST.stat(fd, opened) < 0
                        || Libc.HOST.stat(real.toString(), found) < 0
                        || !opened.isSameFile(found)) {
                    throw refused("has been replaced by another file while it was opened");
                }
                return real;
            }
        }

        private int flags() {
            return O_CLOEXEC
                    | (options.writable() ? O_RDWR : 0)
                    | (options.cacheMode().direct() ? directFlag() : 0)
                    | (options.writable() && options.cacheMode().durableWrites() ? O_DSYNC : 0);
        }

        private void requireBytes(FileKind kind) throws IOException {
            if (!kind.holdsBytes()) {
                throw refused("is " + kind.words() + "; name a file or block device");
            }
        }

        private StorageException refused(String reason) {
            return new StorageException("open", name, -1, 0, "it " + reason);
        }

        private long checked(String operation, long result) throws IOException {
            if (result < 0) {
                throw StorageException.of(operation, name, -1, (int) -result);
            }
            return result;
        }
    }
}
