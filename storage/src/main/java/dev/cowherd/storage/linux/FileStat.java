package dev.cowherd.storage.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.MemorySegment;

/** What statx(2) says of a file. Filled by {@link Libc}; the layout is the kernel's own and the same on every architecture. */
public final class FileStat {
    private static final long MODE_AT = 28;
    private static final long INODE_AT = 32;
    private static final long SIZE_AT = 40;
    private static final long BLOCKS_AT = 48;
    private static final long DEVICE_AT = 136;
    private static final long DIRECT_MEMORY_ALIGNMENT_AT = 152;
    private static final long DIRECT_OFFSET_ALIGNMENT_AT = 156;
    private static final int TYPE_MASK = 0xf000;
    private static final long BLOCK_BYTES = 512;

    private int mode;
    private long inode;
    private long sizeBytes;
    private long blocks;
    private long device;
    private int directMemoryAlignment;
    private int directOffsetAlignment;

    void decode(MemorySegment statx) {
        mode = Short.toUnsignedInt(statx.get(JAVA_SHORT, MODE_AT));
        inode = statx.get(JAVA_LONG, INODE_AT);
        sizeBytes = statx.get(JAVA_LONG, SIZE_AT);
        blocks = statx.get(JAVA_LONG, BLOCKS_AT);
        device = statx.get(JAVA_LONG, DEVICE_AT);
        directMemoryAlignment = statx.get(JAVA_INT, DIRECT_MEMORY_ALIGNMENT_AT);
        directOffsetAlignment = statx.get(JAVA_INT, DIRECT_OFFSET_ALIGNMENT_AT);
    }

    /** The kind of file. */
    public FileKind kind() {
        return switch (mode & TYPE_MASK) {
            case 0x8000 -> FileKind.REGULAR;
            case 0x6000 -> FileKind.BLOCK_DEVICE;
            case 0x4000 -> FileKind.DIRECTORY;
            case 0x2000 -> FileKind.CHARACTER_DEVICE;
            case 0x1000 -> FileKind.FIFO;
            case 0xc000 -> FileKind.SOCKET;
            default -> FileKind.UNKNOWN;
        };
    }

    /** Bytes of a regular file; 0 for a device. */
    public long sizeBytes() {
        return sizeBytes;
    }

    /** Bytes the file takes on its file system. */
    public long allocatedBytes() {
        return blocks * BLOCK_BYTES;
    }

    /** The alignment of addresses for O_DIRECT, or 0 if the kernel does not say. */
    public int directMemoryAlignment() {
        return directMemoryAlignment;
    }

    /** The alignment of offsets and lengths for O_DIRECT, or 0 if the kernel does not say. */
    public int directOffsetAlignment() {
        return directOffsetAlignment;
    }

    /** Whether both describe the same file. */
    public boolean isSameFile(FileStat other) {
        return inode == other.inode && device == other.device && kind() == other.kind();
    }
}
