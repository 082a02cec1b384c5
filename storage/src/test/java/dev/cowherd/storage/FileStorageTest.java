package dev.cowherd.storage;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
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
                second = first.reopen();
            }
            try (second) {
                assertThat(second.read(3, buffer)).isEqualTo(4);
                assertThat(buffer.toArray(ValueLayout.JAVA_BYTE)).asString().isEqualTo("3456");
            }
        }
    }
}
