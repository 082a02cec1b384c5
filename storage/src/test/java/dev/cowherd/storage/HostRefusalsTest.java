package dev.cowherd.storage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What the host says about a change reaches the caller with its number; what it cannot do is done by writing zeros. */
class HostRefusalsTest {
    @TempDir
    Path folder;

    private final MemorySegment block = Arena.ofAuto().allocate(4096, 4096).fill((byte) 7);

    /** Answers every change with one error number. */
    private static final class Refusing extends PassingCalls {
        private final Errno answer;

        Refusing(Errno answer) {
            this.answer = answer;
        }

        @Override
        public long pwrite(int fd, MemorySegment buffer, long offset) {
            return -answer.number();
        }

        @Override
        public long pwritev(int fd, MemorySegment[] buffers, int first, int count, long skip, long offset) {
            return -answer.number();
        }

        @Override
        public long fallocate(int fd, int mode, long offset, long length) {
            return -answer.number();
        }

        @Override
        public long fdatasync(int fd) {
            return -answer.number();
        }

        @Override
        public long syncFileRange(int fd, long offset, long length, int flags) {
            return -answer.number();
        }

        @Override
        public long ftruncate(int fd, long length) {
            return -answer.number();
        }
    }

    private static void assertFails(Errno errno, String operation, long offset, ThrowingCallable change) {
        assertThatThrownBy(change)
                .as(operation)
                .isInstanceOfSatisfying(StorageException.class, e -> {
                    assertThat(e.errno()).isEqualTo(errno.number());
                    assertThat(e.operation()).isEqualTo(operation);
                    assertThat(e.offset()).isEqualTo(offset);
                })
                .hasMessageContaining(errno.name());
    }

    @ParameterizedTest
    @EnumSource(
            value = Errno.class,
            names = {"ENOSPC", "EIO", "EDQUOT"})
    void everyRefusedChangeKeepsTheHostsNumber(Errno errno) throws IOException {
        for (CacheMode mode : new CacheMode[] {CacheMode.WRITEBACK, CacheMode.NONE}) {
            FileOptions options = FileOptions.creating().withCacheMode(mode);
            try (Storage file = FileStorage.open(folder.resolve("file"), options, null, new Refusing(errno))) {
                assertFails(errno, "pwrite", 4096, () -> file.write(4096, block));
                assertFails(errno, "pwritev", 8192, () -> file.writev(8192, new MemorySegment[] {block, block}, 2));
                assertFails(errno, "fallocate", 4096, () -> file.punchHole(4096, 4096));
                assertFails(errno, "fallocate", 4096, () -> file.zero(4096, 4096));
                assertFails(errno, "fallocate", 4096, () -> file.allocate(4096, 4096));
                assertFails(errno, "ftruncate", 4096, () -> file.truncate(4096));
                assertFails(errno, "fdatasync", -1, file::sync);
                if (mode == CacheMode.WRITEBACK) {
                    assertFails(errno, "sync_file_range", 4096, () -> file.startWriteback(4096, 4096));
                } else {
                    // Past the page cache nothing waits there: the host is not asked.
                    file.startWriteback(4096, 4096);
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = Errno.class,
            names = {"ENOSYS", "EPERM", "EINVAL", "ESPIPE", "EOPNOTSUPP"})
    void aHostThatCannotBeginEarlyIsNotAFailedOne(Errno errno) throws IOException {
        Path path = folder.resolve("file");
        try (Storage file = FileStorage.open(path, FileOptions.creating(), null, new Refusing(errno))) {
            file.startWriteback(0, 4096);
            assertThat(file.sizeBytes()).isZero();
        }
    }

    @ParameterizedTest
    @EnumSource(CacheMode.class)
    void theHostBeginsEarlyWhereASyncWouldWaitForIt(CacheMode mode) throws IOException {
        List<String> seen = new ArrayList<>();
        PassingCalls calls = new PassingCalls() {
            @Override
            public long syncFileRange(int fd, long offset, long length, int flags) {
                seen.add(length + "@" + offset + " flags " + flags);
                return super.syncFileRange(fd, offset, length, flags);
            }
        };
        FileOptions options = FileOptions.creating().withCacheMode(mode);
        try (Storage file = FileStorage.open(folder.resolve("file"), options, null, calls)) {
            file.write(8192, block);
            file.startWriteback(8192, 4096);
        }
        // SYNC_FILE_RANGE_WRITE alone: waiting would take note of errors that belong to the next sync.
        assertThat(seen).isEqualTo(mode == CacheMode.WRITEBACK ? List.of("4096@8192 flags 2") : List.of());
    }

    @Test
    void nobodyBeginsAnythingOnAFileThatIsOnlyRead() throws IOException {
        Path path = Files.write(folder.resolve("file"), new byte[4096]);
        try (Storage file = FileStorage.open(path, FileOptions.reading())) {
            assertThatThrownBy(() -> file.startWriteback(0, 4096))
                    .isInstanceOf(StorageException.class)
                    .hasMessageContaining("read-only");
        }
    }

    @Test
    void whereTheHostKnowsNoFallocateZerosAreWritten() throws IOException {
        Path path = folder.resolve("file");
        PassingCalls old = new PassingCalls() {
            @Override
            public long fallocate(int fd, int mode, long offset, long length) {
                return -Errno.EOPNOTSUPP.number();
            }
        };
        for (CacheMode mode : new CacheMode[] {CacheMode.WRITEBACK, CacheMode.NONE}) {
            Files.write(path, new byte[0]);
            try (Storage file = FileStorage.open(path, FileOptions.creating().withCacheMode(mode), null, old)) {
                for (int i = 0; i < 4; i++) {
                    file.write(4096L * i, block);
                }
                file.zero(5000, 1000);
                file.punchHole(10_000, 1000);
                file.allocate(12_000, 8001);
                file.zero(20_000, 999);
                file.punchHole(20_000, 5000);
            }
            byte[] found = Files.readAllBytes(path);
            assertThat(found).hasSize(20_999);
            for (int i = 0; i < found.length; i++) {
                boolean zero = (i >= 5000 && i < 6000) || (i >= 10_000 && i < 11_000) || i >= 16_384;
                assertThat(found[i]).as("%s, byte %d", mode, i).isEqualTo((byte) (zero ? 0 : 7));
            }
        }
    }

    @Test
    void allocatedSpaceIsTakenAndZeroedSpaceIsKept() throws IOException {
        try (Storage file = FileStorage.open(folder.resolve("file"), FileOptions.creating())) {
            file.allocate(0, 1 << 20);
            assertThat(file.allocatedBytes()).isGreaterThanOrEqualTo(1 << 20);
            file.zero(0, 1 << 19);
            assertThat(file.allocatedBytes()).isGreaterThanOrEqualTo(1 << 20);
            file.punchHole(0, 1 << 19);
            assertThat(file.allocatedBytes()).isLessThan(1 << 20);
        }
    }
}
