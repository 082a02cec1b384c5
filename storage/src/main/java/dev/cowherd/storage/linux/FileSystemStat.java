package dev.cowherd.storage.linux;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;

/** What statfs(2) says of a file system. Filled by {@link Libc}; the layout is that of 64-bit kernels, the same on each of them. */
public final class FileSystemStat {
    /** The type of ext4, and of ext2 and ext3. */
    public static final long EXT4 = 0xef53;

    private static final long TYPE_AT = 0;
    private static final long BLOCK_BYTES_AT = 8;
    private static final long AVAILABLE_AT = 32;

    private long type;
    private long blockBytes;
    private long available;

    void decode(MemorySegment statfs) {
        type = statfs.get(JAVA_LONG, TYPE_AT);
        blockBytes = statfs.get(JAVA_LONG, BLOCK_BYTES_AT);
        available = statfs.get(JAVA_LONG, AVAILABLE_AT);
    }

    /** The magic number of its type. */
    public long type() {
        return type;
    }

    /** Bytes that a user without privileges may still take. */
    public long availableBytes() {
        return available > Long.MAX_VALUE / Math.max(1, blockBytes) ? Long.MAX_VALUE : available * blockBytes;
    }
}
