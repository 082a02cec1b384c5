package dev.cowherd.storage;

import java.io.IOException;

/**
 * A failed operation on host bytes: what was tried, on which storage, where, and the host's errno.
 *
 * <p>The message is one line fit for a person. It is never thrown for bad image contents, only for what the host
 * said.
 */
public final class StorageException extends IOException {
    private static final long serialVersionUID = 1L;

    private final transient String operation;
    private final transient String name;
    private final transient long offset;
    private final transient int errno;

    /**
     * Creates the exception.
     *
     * @param operation what was tried, in the words of the system call, such as {@code pread}
     * @param name the storage, as the user named it
     * @param offset where in bytes, or -1 if the operation has no place
     * @param errno the host's error number, or 0 if the host gave none
     * @param reason the rest of the line for a person
     */
    public StorageException(String operation, String name, long offset, int errno, String reason) {
        super(name + ": " + operation + (offset < 0 ? "" : " at offset " + offset) + ": " + reason);
        this.operation = operation;
        this.name = name;
        this.offset = offset;
        this.errno = errno;
    }

    /**
     * Creates the exception from errno alone.
     *
     * @param operation what was tried, in the words of the system call, such as {@code pread}
     * @param name the storage, as the user named it
     * @param offset where in bytes, or -1 if the operation has no place
     * @param errno the host's error number
     * @return the exception, its reason the number in words
     */
    public static StorageException of(String operation, String name, long offset, int errno) {
        return new StorageException(operation, name, offset, errno, Errno.describe(errno));
    }

    /**
     * What was tried.
     *
     * @return the operation, in the words of the system call
     */
    public String operation() {
        return operation;
    }

    /**
     * The storage it was tried on.
     *
     * @return the storage's name, as the user gave it
     */
    public String storageName() {
        return name;
    }

    /**
     * Where it was tried.
     *
     * @return the offset in bytes, or -1 if the operation has no place
     */
    public long offset() {
        return offset;
    }

    /**
     * The host's error number.
     *
     * @return errno, or 0 if the host gave none
     */
    public int errno() {
        return errno;
    }
}
