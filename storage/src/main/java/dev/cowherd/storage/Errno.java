package dev.cowherd.storage;

import java.util.HashMap;
import java.util.Map;

/** The error numbers of Linux that storage meets, with the words people know them by. */
public enum Errno {
    /** Not allowed. */
    EPERM(1, "Operation not permitted"),
    /** Missing. */
    ENOENT(2, "No such file or directory"),
    /** A signal came first. */
    EINTR(4, "Interrupted system call"),
    /** The device failed. */
    EIO(5, "Input/output error"),
    /** No device behind the name. */
    ENXIO(6, "No such device or address"),
    /** Closed, or not open that way. */
    EBADF(9, "Bad file descriptor"),
    /** Would have to wait. */
    EAGAIN(11, "Resource temporarily unavailable"),
    /** The kernel lacks memory. */
    ENOMEM(12, "Cannot allocate memory"),
    /** No permission. */
    EACCES(13, "Permission denied"),
    /** In use. */
    EBUSY(16, "Device or resource busy"),
    /** Exists already. */
    EEXIST(17, "File exists"),
    /** The device is gone. */
    ENODEV(19, "No such device"),
    /** A part of the path is a file. */
    ENOTDIR(20, "Not a directory"),
    /** A directory. */
    EISDIR(21, "Is a directory"),
    /** The request makes no sense to the kernel. */
    EINVAL(22, "Invalid argument"),
    /** The system has no descriptor left. */
    ENFILE(23, "Too many open files in system"),
    /** The process has no descriptor left. */
    EMFILE(24, "Too many open files"),
    /** A running program. */
    ETXTBSY(26, "Text file busy"),
    /** Larger than the file system allows. */
    EFBIG(27, "File too large"),
    /** The file system is full. */
    ENOSPC(28, "No space left on device"),
    /** Not seekable. */
    ESPIPE(29, "Illegal seek"),
    /** The file system is read-only. */
    EROFS(30, "Read-only file system"),
    /** Nobody reads at the other end. */
    EPIPE(32, "Broken pipe"),
    /** The name is too long. */
    ENAMETOOLONG(36, "File name too long"),
    /** The host has no lock to give. */
    ENOLCK(37, "No locks available"),
    /** A function the kernel lacks. */
    ENOSYS(38, "Function not implemented"),
    /** Symbolic links that lead in a circle. */
    ELOOP(40, "Too many levels of symbolic links"),
    /** The kernel could not keep a completion. */
    EBADR(53, "Invalid request descriptor"),
    /** A time that was set has passed. */
    ETIME(62, "Timer expired"),
    /** A number too large for its place. */
    EOVERFLOW(75, "Value too large for defined data type"),
    /** Not supported by this file system or device. */
    EOPNOTSUPP(95, "Operation not supported"),
    /** The other end is gone. */
    ECONNRESET(104, "Connection reset by peer"),
    /** The server took too long. */
    ETIMEDOUT(110, "Connection timed out"),
    /** The server forgot the file. */
    ESTALE(116, "Stale file handle"),
    /** Over quota. */
    EDQUOT(122, "Disk quota exceeded"),
    /** Taken back before it was done. */
    ECANCELED(125, "Operation canceled");

    private static final Map<Integer, Errno> BY_NUMBER = new HashMap<>();

    static {
        for (Errno errno : values()) {
            BY_NUMBER.put(errno.number, errno);
        }
    }

    private final int number;
    private final String text;

    Errno(int number, String text) {
        this.number = number;
        this.text = text;
    }

    /**
     * The kernel's number.
     *
     * @return more than zero
     */
    public int number() {
        return number;
    }

    /**
     * Puts an error number in words.
     *
     * @param number the kernel's number
     * @return such as {@code No space left on device (ENOSPC)}
     */
    public static String describe(int number) {
        Errno known = BY_NUMBER.get(number);
        return known == null ? "error number " + number : known.text + " (" + known.name() + ")";
    }
}
