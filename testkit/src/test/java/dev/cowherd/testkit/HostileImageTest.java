package dev.cowherd.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import dev.cowherd.format.ImageFormatException;
import dev.cowherd.image.ChainException;
import dev.cowherd.image.Engine;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
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
        for (Engine engine : Reads.ENGINES) {
            Optional<IOException> refusal = read(engine, image, "");
            switch (image.fate()) {
                case REFUSED ->
                    assertThat(refusal)
                            .as("was read as if nothing were wrong, by " + engine)
                            .isPresent();
                case READ -> assertThat(refusal).as("by " + engine).isEmpty();
                case EITHER -> {}
            }
        }
    }

    /** Reads all that there is; what it is refused with is clear. */
    private Optional<IOException> read(Engine engine, HostileImage image, String snapshot) throws Exception {
        Path file = image.writeTo(folder);
        FileState before = FileState.of(file);
        Optional<IOException> refusal =
                assertTimeoutPreemptively(LIMIT, () -> HostileReads.readAll(engine, file, snapshot));
        assertThat(FileState.of(file)).isEqualTo(before);
        refusal.ifPresent(error -> isClear(error, image, file));
        return refusal;
    }

    @ParameterizedTest
    @MethodSource("all")
    void refusedOrReadInItsSnapshot(HostileImage image) throws Exception {
        for (Engine engine : Reads.ENGINES) {
            Optional<IOException> refusal = read(engine, image, "1");
            if (image.row() == 23 && image.fate() != HostileImage.Fate.READ) {
                assertThat(refusal).as("a snapshot's L1 that cannot be").isPresent();
            }
        }
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
            assertThat(String.valueOf(refusal.getMessage()).toLowerCase(Locale.ROOT))
                    .as("names the value")
                    .containsAnyOf(Long.toString(image.value()), Long.toHexString(image.value()));
        }
    }
}
