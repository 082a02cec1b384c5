package dev.cowherd.storage;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import dev.cowherd.storage.linux.FileKind;
import dev.cowherd.storage.linux.FileStat;
import dev.cowherd.storage.linux.Libc;
import dev.cowherd.storage.linux.Transfers;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Finds the alignment that a descriptor opened with O_DIRECT demands: what the kernel says where it says it, the device's logical
 * block, or else the smallest that a read succeeds with. One number serves for offsets, lengths and addresses.
 */
final class DirectAlignment {
    private static final int SMALLEST = 512;
    private static final int LARGEST_TRIED = 4096;
    private static final long BLKSSZGET = 0x1268;

    private DirectAlignment() {}

    static int probe(int fd) {
        FileStat stat = new FileStat();
        if (Libc.HOST.stat(fd, stat) == 0) {
            int said = Math.max(stat.directMemoryAlignment(), stat.directOffsetAlignment());
            if (stat.directOffsetAlignment() > 0 && Integer.bitCount(said) == 1) {
                return said;
            }
            if (stat.kind() == FileKind.BLOCK_DEVICE) {
                return logicalBlockBytes(fd);
            }
        }
        return byTrial(fd, stat.sizeBytes());
    }

    /** The logical block of a block device in bytes. */
    static int logicalBlockBytes(int fd) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment answer = arena.allocate(JAVA_INT);
            if (Libc.HOST.ioctl(fd, BLKSSZGET, answer) == 0 && Integer.bitCount(answer.get(JAVA_INT, 0)) == 1) {
                return answer.get(JAVA_INT, 0);
            }
        }
        return LARGEST_TRIED;
    }

    /** A file too short to be read from teaches nothing: the largest alignment is right everywhere. */
    static int byTrial(int fd, long sizeBytes) {
        if (sizeBytes < LARGEST_TRIED) {
            return LARGEST_TRIED;
        }
        Transfers transfers = new Transfers(Libc.HOST, SMALLEST);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment buffer = arena.allocate(2L * LARGEST_TRIED, LARGEST_TRIED);
            for (int alignment = SMALLEST; alignment < LARGEST_TRIED; alignment *= 2) {
                if (transfers.read(fd, alignment, buffer.asSlice(alignment, alignment)) == alignment) {
                    return alignment;
                }
            }
        }
        return LARGEST_TRIED;
    }
}
