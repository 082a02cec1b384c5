package dev.cowherd.storage;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Space past the end is set aside where the host gains by it, and only there; it is given back whole. */
class HostReserveTest {
    private static final long MIB = 1 << 20;

    @TempDir
    Path folder;

    private final MemorySegment block = Arena.ofAuto().allocate(4096, 4096).fill((byte) 7);
    private final List<String> asked = new ArrayList<>();

    /** The kernel, and what it is asked about space. */
    private final PassingCalls noting = new PassingCalls() {
        @Override
        public long fallocate(int fd, int mode, long offset, long length) {
            asked.add("fallocate " + mode + " " + length + "@" + offset);
            return super.fallocate(fd, mode, offset, length);
        }

        @Override
        public long ftruncate(int fd, long length) {
            asked.add("ftruncate " + length);
            return super.ftruncate(fd, length);
        }
    };

    private boolean isExt4() throws IOException {
        return Files.getFileStore(folder).type().equals("ext4");
    }

    @ParameterizedTest
    @EnumSource(
            value = CacheMode.class,
            names = {"WRITEBACK", "NONE"})
    void ext4SetsSpaceAsideAndGivesItBack(CacheMode mode) throws IOException {
        FileOptions options = FileOptions.creating().withCacheMode(mode);
        try (Storage file = FileStorage.open(folder.resolve("file"), options, null, noting)) {
            file.write(0, block);
            file.sync();
            long before = file.allocatedBytes();
            asked.clear();
            boolean set = file.reserve(4096, 4 * MIB);
            assertThat(set).isEqualTo(isExt4());
            if (!set) {
                assertThat(asked).isEmpty();
                return;
            }
            assertThat(asked).containsExactly("fallocate 1 " + 4 * MIB + "@4096");
            assertThat(file.allocatedBytes()).isGreaterThanOrEqualTo(before + 4 * MIB);
            assertThat(file.sizeBytes()).isEqualTo(4096);

            file.write(MIB, block);
            MemorySegment between = Arena.ofAuto().allocate(4096, 4096).fill((byte) 1);
            file.read(MIB - 4096, between);
            assertThat(between.toArray(JAVA_BYTE)).containsOnly(0);

            file.releaseReserve();
            file.sync();
            assertThat(asked).last().isEqualTo("ftruncate " + (MIB + 4096));
            assertThat(file.sizeBytes()).isEqualTo(MIB + 4096);
            assertThat(file.allocatedBytes()).isLessThan(before + 2 * MIB);
        }
    }

    @Test
    void nothingIsSetAsideOnTmpfs() throws IOException {
        Path file = Files.createTempFile(Path.of("/dev/shm"), "cowherd", null);
        try (Storage memory = FileStorage.open(file, FileOptions.writing(), null, noting)) {
            assertThat(memory.reserve(0, MIB)).isFalse();
            assertThat(asked).isEmpty();
        } finally {
            Files.delete(file);
        }
    }

    /** Others would hear of a full disk because of what nobody has written yet. */
    @Test
    void nothingIsSetAsideWhereSpaceIsShort() throws IOException {
        try (Storage file = FileStorage.open(folder.resolve("file"), FileOptions.creating(), null, noting)) {
            long available = Files.getFileStore(folder).getUsableSpace();
            assertThat(file.reserve(0, available / 16)).isFalse();
            assertThat(asked).isEmpty();
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = Errno.class,
            names = {"ENOSPC", "EDQUOT", "EOPNOTSUPP", "EIO", "EPERM"})
    void aHostThatDoesNotIsNotAFailedOne(Errno errno) throws IOException {
        PassingCalls refusing = new PassingCalls() {
            @Override
            public long fallocate(int fd, int mode, long offset, long length) {
                return -errno.number();
            }

            @Override
            public long ftruncate(int fd, long length) {
                return -errno.number();
            }
        };
        try (Storage file = FileStorage.open(folder.resolve("file"), FileOptions.creating(), null, refusing)) {
            assertThat(file.reserve(0, MIB)).isFalse();
            assertThatThrownBy(file::releaseReserve)
                    .isInstanceOfSatisfying(
                            StorageException.class, e -> assertThat(e.errno()).isEqualTo(errno.number()));
        }
    }

    @Test
    void nothingIsSetAsideOnAFileThatIsOnlyRead() throws IOException {
        Path path = Files.write(folder.resolve("file"), new byte[4096]);
        try (Storage file = FileStorage.open(path, FileOptions.reading())) {
            assertThatThrownBy(() -> file.reserve(4096, MIB)).hasMessageContaining("read-only");
            assertThatThrownBy(file::releaseReserve).hasMessageContaining("read-only");
        }
    }
}
