package dev.cowherd.storage;

/**
 * How {@link FileStorage} opens a file or block device. Immutable.
 *
 * @param writable whether writes are allowed
 * @param create whether a missing file is made, empty; what an existing file holds is kept
 * @param cacheMode how the host caches
 * @param lock what is claimed against other users of the image
 */
public record FileOptions(boolean writable, boolean create, CacheMode cacheMode, LockMode lock) {
    /** Checks that only a writable file is created. */
    public FileOptions {
        if (create && !writable) {
            throw new IllegalArgumentException("a file opened read-only cannot be created");
        }
    }

    /**
     * Read-only, through the page cache, with the locks of a reader.
     *
     * @return the options
     */
    public static FileOptions reading() {
        return new FileOptions(false, false, CacheMode.WRITEBACK, LockMode.READ);
    }

    /**
     * Read and write an existing file, through the page cache, with the locks of a writer.
     *
     * @return the options
     */
    public static FileOptions writing() {
        return new FileOptions(true, false, CacheMode.WRITEBACK, LockMode.WRITE);
    }

    /**
     * Like {@link #writing()}, and makes the file if it is missing.
     *
     * @return the options
     */
    public static FileOptions creating() {
        return new FileOptions(true, true, CacheMode.WRITEBACK, LockMode.WRITE);
    }

    /**
     * The same with another cache mode.
     *
     * @param mode how the host caches
     * @return the options
     */
    public FileOptions withCacheMode(CacheMode mode) {
        return new FileOptions(writable, create, mode, lock);
    }

    /**
     * The same with other locks.
     *
     * @param mode what is claimed against other users of the image
     * @return the options
     */
    public FileOptions withLock(LockMode mode) {
        return new FileOptions(writable, create, cacheMode, mode);
    }
}
