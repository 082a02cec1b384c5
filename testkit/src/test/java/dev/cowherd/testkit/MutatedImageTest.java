package dev.cowherd.testkit;

import static org.assertj.core.api.Assertions.fail;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import dev.cowherd.format.ImageFormatException;
import dev.cowherd.image.ChainException;
import dev.cowherd.image.Engine;
import dev.cowherd.testkit.ImageRecipe.Below;
import dev.cowherd.testkit.ImageRecipe.Compression;
import dev.cowherd.testkit.ImageRecipe.DataFile;
import dev.cowherd.testkit.ImageRecipe.Preallocation;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Whatever is wrong with the metadata of an image: reading it ends with a typed error or with some bytes, never with another
 * exception, a hang, or more memory than 64 MiB of heap.
 */
@Tag("hostile")
final class MutatedImageTest {
    private static final long SEED = Long.getLong("cowherd.seed", 1);
    private static final int MUTATIONS = Integer.getInteger("cowherd.mutations", 50);
    private static final Duration LIMIT = Duration.ofSeconds(20);

    @TempDir
    private Path folder;

    static Stream<String> images() {
        return Stream.concat(
                Stream.of("plain", "extended", "version 2", "small clusters", "snapshot"),
                recipes().stream().map(ImageRecipe::name));
    }

    private static List<ImageRecipe> recipes() {
        return List.of(
                recipe(3, 4096, 16, false, Compression.ZSTD, true),
                recipe(3, 16384, 64, true, Compression.ZLIB, true),
                recipe(3, 65536, 1, true, Compression.NONE, false),
                recipe(2, 512, 16, false, Compression.ZLIB, false));
    }

    private static ImageRecipe recipe(
            int version, int cluster, int refcountBits, boolean extended, Compression compression, boolean more) {
        return new ImageRecipe(
                7,
                version,
                cluster,
                refcountBits,
                extended,
                compression,
                DataFile.NONE,
                Preallocation.OFF,
                1,
                Below.SAME,
                more,
                more);
    }

    @ParameterizedTest
    @MethodSource("images")
    void readingEndsWithATypedErrorOrWithBytes(String name) throws Exception {
        ImageMutator mutator = new ImageMutator(valid(name));
        Path file = folder.resolve("mutated.qcow2");
        for (int i = 0; i < MUTATIONS; i++) {
            long seed = SEED * 1_000_003 + i;
            Files.write(file, mutator.mutate(new Random(seed)));
            for (String snapshot : new String[] {"", "1"}) {
                // The engines take turns, and each reads the snapshot where the other reads the disk.
                Engine engine = Reads.engineOf(i + snapshot.length());
                read(
                        engine,
                        file,
                        snapshot,
                        "%s, -Dcowherd.seed=%d, mutation %d, snapshot '%s', %s"
                                .formatted(name, SEED, i, snapshot, engine));
            }
        }
    }

    private static void read(Engine engine, Path file, String snapshot, String what) throws IOException {
        FileState before = FileState.of(file);
        try {
            Optional<IOException> refusal =
                    assertTimeoutPreemptively(LIMIT, () -> HostileReads.readAll(engine, file, snapshot));
            refusal.ifPresent(error -> {
                if (!(error instanceof ImageFormatException || error instanceof ChainException)) {
                    fail(what, error);
                }
            });
        } catch (RuntimeException | Error e) {
            fail(what, e);
        }
        if (!FileState.of(file).equals(before)) {
            fail(what + ": the file was written");
        }
    }

    private byte[] valid(String name) throws IOException {
        for (ImageRecipe recipe : recipes()) {
            if (recipe.name().equals(name)) {
                return Files.readAllBytes(QemuImages.shared().make(recipe).top());
            }
        }
        HandMadeImage image = switch (name) {
            case "plain" -> HandMadeImage.plain();
            case "extended" -> HandMadeImage.extended();
            case "version 2" -> HandMadeImage.of(2, 12);
            case "small clusters" -> HandMadeImage.of(3, 9);
            default -> HandMadeImage.plain().snapshot(0x30000, 1);
        };
        return Files.readAllBytes(image.writeTo(folder.resolve("valid.qcow2")));
    }
}
