package dev.cowherd.storage;

import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import dev.cowherd.storage.linux.Libc;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * The image locks of QEMU: who holds a read lock on byte 100 + p uses permission p, who holds one on byte 200 + p does not
 * share it with others. First we take our own locks, then look whether anybody holds a byte that contradicts them: of
 * two that do so at once, at least one sees the other.
 *
 * <p>The locks belong to the open file description, so they exclude two opens in one process as well, and end when the
 * descriptor closes.
 */
final class ImageLocks {
    private static final long USED_BASE = 100;
    private static final long UNSHARED_BASE = 200;

    private static final int F_OFD_GETLK = 36;
    private static final int F_OFD_SETLK = 37;
    private static final short F_RDLCK = 0;
    private static final short F_WRLCK = 1;
    private static final short F_UNLCK = 2;

    private static final long FLOCK_BYTES = 32;
    private static final long TYPE_AT = 0;
    private static final long WHENCE_AT = 2;
    private static final long START_AT = 8;
    private static final long LENGTH_AT = 16;

    /** QEMU's permissions, each with its number among the lock bytes. */
    private enum Permission {
        CONSISTENT_READ(0, "consistent read"),
        WRITE(1, "write"),
        RESIZE(3, "resize");

        private final int number;
        private final String words;

        Permission(int number, String words) {
            this.number = number;
            this.words = words;
        }
    }

    private final int fd;
    private final String name;

    private ImageLocks(int fd, String name) {
        this.fd = fd;
        this.name = name;
    }

    /** Takes the locks of a mode on an open descriptor, or throws and leaves it to the caller to close that. */
    static void acquire(int fd, String name, LockMode mode) throws IOException {
        ImageLocks locks = new ImageLocks(fd, name);
        Permission[] unshared = {Permission.WRITE, Permission.RESIZE};
        switch (mode) {
            case NONE -> {}
            case READ -> locks.acquire(new Permission[] {Permission.CONSISTENT_READ}, unshared);
            case WRITE ->
                locks.acquire(
                        new Permission[] {Permission.CONSISTENT_READ, Permission.WRITE, Permission.RESIZE}, unshared);
        }
    }

    private void acquire(Permission[] used, Permission[] unshared) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment flock = arena.allocate(FLOCK_BYTES, Long.BYTES);
            for (Permission permission : used) {
                hold(flock, USED_BASE + permission.number);
            }
            for (Permission permission : unshared) {
                hold(flock, UNSHARED_BASE + permission.number);
            }
            for (Permission permission : used) {
                if (isHeldByOthers(flock, UNSHARED_BASE + permission.number)) {
                    throw refused("Failed to get \"" + permission.words + "\" lock");
                }
            }
            for (Permission permission : unshared) {
                if (isHeldByOthers(flock, USED_BASE + permission.number)) {
                    throw refused("Failed to get shared \"" + permission.words + "\" lock");
                }
            }
        }
    }

    private void hold(MemorySegment flock, long place) throws IOException {
        long result = Libc.HOST.fcntl(fd, F_OFD_SETLK, describe(flock, F_RDLCK, place));
        if (result == -Errno.EAGAIN.number() || result == -Errno.EACCES.number()) {
            throw refused("Failed to lock byte " + place);
        }
        if (result < 0) {
            throw StorageException.of("lock", name, place, (int) -result);
        }
    }

    private boolean isHeldByOthers(MemorySegment flock, long place) throws IOException {
        long result = Libc.HOST.fcntl(fd, F_OFD_GETLK, describe(flock, F_WRLCK, place));
        if (result < 0) {
            throw StorageException.of("lock", name, place, (int) -result);
        }
        return flock.get(JAVA_SHORT, TYPE_AT) != F_UNLCK;
    }

    private static MemorySegment describe(MemorySegment flock, short type, long place) {
        flock.fill((byte) 0);
        flock.set(JAVA_SHORT, TYPE_AT, type);
        flock.set(JAVA_SHORT, WHENCE_AT, (short) 0);
        flock.set(JAVA_LONG, START_AT, place);
        flock.set(JAVA_LONG, LENGTH_AT, 1);
        return flock;
    }

    private StorageException refused(String refusal) {
        return new StorageException(
                "lock",
                name,
                -1,
                Errno.EAGAIN.number(),
                refusal + "; is another process using the image? Use -U to open it anyway");
    }
}
