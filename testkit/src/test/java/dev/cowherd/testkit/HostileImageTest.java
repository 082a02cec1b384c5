package dev.cowherd.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import dev.cowherd.format.ImageFormatException;
import dev.cowherd.image.ChainException;
import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.DiskQueue;
import dev.cowherd.image.ImageFormat;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * A reader of a hostile image gets a typed error or the guest's bytes: in bounded time, with a heap of 64 MiB, and nothing
 * is written.
 */
@Tag("hostile")
final class HostileImageTest {
    /** Generous for a busy machine; on an idle one each takes milliseconds. */
    private static final Duration LIMIT = Duration.ofSeconds(10);

    @TempDir
    private Path folder;

    static List<HostileImage> all() {
        return HostileImages.all();
    }

    @Test
    void theHeapIsSmall() {
        assertThat(Runtime.getRuntime().maxMemory()).isLessThanOrEqualTo(64 << 20);
    }

    @ParameterizedTest
    @MethodSource("all")
    void refusedOrRead(HostileImage image) throws Exception {
        Path file = image.writeTo(folder);
        FileState before = FileState.of(file);

        Optional<IOException> refusal = assertTimeoutPreemptively(LIMIT, () -> readAll(file, DiskOptions.defaults()));

        assertThat(FileState.of(file)).isEqualTo(before);
        switch (image.fate()) {
            case REFUSED ->
                assertThat(refusal).as("was read as if nothing were wrong").isPresent();
            case READ -> assertThat(refusal).isEmpty();
            case EITHER -> {}
        }
        refusal.ifPresent(error -> isClear(error, image, file));
    }

    @ParameterizedTest
    @MethodSource("all")
    void refusedOrReadInItsSnapshot(HostileImage image) throws Exception {
        Path file = image.writeTo(folder);
        FileState before = FileState.of(file);

        Optional<IOException> refusal = assertTimeoutPreemptively(
                LIMIT, () -> readAll(file, DiskOptions.defaults().withSnapshot("1")));

        assertThat(FileState.of(file)).isEqualTo(before);
        if (image.row() == 23 && image.fate() != HostileImage.Fate.READ) {
            assertThat(refusal).as("a snapshot's L1 that cannot be").isPresent();
        }
        refusal.ifPresent(error -> isClear(error, image, file));
    }

    private static void isClear(IOException refusal, HostileImage image, Path file) {
        assertThat(refusal).isInstanceOfAny(ImageFormatException.class, ChainException.class);
        assertThat(refusal.getMessage())
                .as("names the file, in one line")
                .contains(file.toString())
                .doesNotContain("\n");
        if (refusal instanceof ImageFormatException fault) {
            assertThat(fault.structure()).isNotBlank();
            assertThat(fault.reason()).isNotBlank();
        }
        if (image.value() >= 0 && image.fate() == HostileImage.Fate.REFUSED) {
            assertThat(refusal.getMessage().toLowerCase(Locale.ROOT))
                    .as("names the value")
                    .containsAnyOf(Long.toString(image.value()), Long.toHexString(image.value()));
        }
    }

    /** The typed error that opening or reading ended with, or nothing if all was read. */
    private static Optional<IOException> readAll(Path file, DiskOptions options) {
        try (Disk disk = Disk.open(file, options.withFormat(ImageFormat.QCOW2));
                DiskQueue queue = disk.openQueue();
                Arena arena = Arena.ofConfined()) {
            MemorySegment buffer = arena.allocate(1 << 20);
            long size = disk.sizeBytes();
            for (long offset = 0; offset < Math.min(size, 16L << 20); offset += buffer.byteSize()) {
                queue.read(offset, buffer.asSlice(0, Math.min(buffer.byteSize(), size - offset)));
            }
            Random random = new Random(1);
            for (int i = 0; i < 100 && size > 0; i++) {
                long offset = i == 0 ? size - 1 : random.nextLong(size);
                queue.read(offset, buffer.asSlice(0, Math.min(4096, size - offset)));
                queue.status(offset, Math.min(size - offset, 1L << 40));
            }
            if (size > 0) {
                queue.status(0, size);
            }
            return Optional.empty();
        } catch (IOException e) {
            return Optional.of(e);
        }
    }
}
