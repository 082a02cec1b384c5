package dev.cowherd.storage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What holds for files alone. */
class FileStorageTest {
    @TempDir
    Path folder;

    @Test
    void aReopenedHandleReadsTheFileAfterItWasRenamedAndTheFirstHandleClosed() throws IOException {
        Path path = Files.writeString(folder.resolve("a"), "0123456789");
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment buffer = arena.allocate(4);
            Storage second;
            try (Storage first = FileStorage.open(path, FileOptions.reading())) {
                Files.move(path, folder.resolve("b"));
                Files.writeString(path, "another file");
                second = first.reopen();
            }
            try (second) {
                assertThat(second.read(3, buffer)).isEqualTo(4);
                assertThat(buffer.toArray(ValueLayout.JAVA_BYTE)).asString().isEqualTo("3456");
            }
        }
    }

    @Test
    void holesAreFoundAndTakeNoSpace() throws IOException {
        try (Storage file = FileStorage.open(folder.resolve("sparse"), FileOptions.creating())) {
            file.truncate(10 << 20);
            file.write(4 << 20, Arena.ofAuto().allocate(65536).fill((byte) 1));
            file.sync();
            assertThat(file.rangeAt(0)).isEqualTo(new HostRange(false, 4 << 20));
            assertThat(file.rangeAt(4 << 20)).isEqualTo(new HostRange(true, 65536));
            assertThat(file.rangeAt((4 << 20) + 65536)).isEqualTo(new HostRange(false, (6 << 20) - 65536));
            assertThat(file.allocatedBytes()).isBetween(65536L, 1L << 20);
            file.punchHole(4 << 20, 65536);
            assertThat(file.rangeAt(5)).isEqualTo(new HostRange(false, (10 << 20) - 5));
        }
    }

    @Test
    void creatingKeepsWhatAnExistingFileHolds() throws IOException {
        Path path = Files.writeString(folder.resolve("kept"), "kept");
        FileStorage.open(path, FileOptions.creating()).close();
        assertThat(path).hasContent("kept");
    }

    @Test
    void everyCacheModeReadsAndWrites() throws IOException {
        for (CacheMode mode : CacheMode.values()) {
            Path path = folder.resolve(mode.toString());
            try (Storage file = FileStorage.open(path, FileOptions.creating().withCacheMode(mode));
                    Storage again = file.reopen()) {
                file.write(
                        5,
                        MemorySegment.ofBuffer(java.nio.ByteBuffer.allocateDirect(100))
                                .fill((byte) 7));
                file.sync();
                MemorySegment back = Arena.ofAuto().allocate(200);
                assertThat(again.read(0, back)).as("%s", mode).isEqualTo(105);
                assertThat(back.get(ValueLayout.JAVA_BYTE, 104)).isEqualTo((byte) 7);
            }
            assertThat(Files.size(path)).isEqualTo(105);
        }
    }

    @Test
    void noDescriptorIsLeftBehind() throws IOException {
        Path path = Files.write(folder.resolve("file"), new byte[4096]);
        FileStorage.open(path, FileOptions.reading()).close();
        long before = descriptors();
        for (int i = 0; i < 50; i++) {
            try (Storage file = FileStorage.open(path, FileOptions.writing())) {
                file.reopen().close();
                assertThatThrownBy(() -> FileStorage.open(path, FileOptions.reading()))
                        .hasMessageContaining("lock");
                assertThatThrownBy(() -> FileStorage.open(folder, FileOptions.reading()));
                assertThatThrownBy(() -> FileStorage.open(Path.of("/proc/self/maps"), FileOptions.reading()));
            }
        }
        assertThat(descriptors()).isLessThan(before + 20);
    }

    private static long descriptors() throws IOException {
        try (Stream<Path> all = Files.list(Path.of("/proc/self/fd"))) {
            return all.count();
        }
    }

    @Test
    void heapSegmentsAreRefused() throws IOException {
        MemorySegment heap = MemorySegment.ofArray(new byte[16]);
        MemorySegment[] two = {heap, heap};
        try (Storage file = FileStorage.open(folder.resolve("file"), FileOptions.creating())) {
            assertThatThrownBy(() -> file.read(0, heap)).isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> file.readv(0, two, 2)).isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> file.write(0, heap)).isInstanceOf(IllegalArgumentException.class);
        }
    }

    @Test
    void errorNumbersArePutInWords() {
        assertThat(Errno.describe(28)).isEqualTo("No space left on device (ENOSPC)");
        assertThat(Errno.describe(9999)).isEqualTo("error number 9999");
    }
}
