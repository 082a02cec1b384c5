package dev.cowherd.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.testkit.ImageRecipes;
import dev.cowherd.testkit.QemuImages;
import dev.cowherd.testkit.QemuImg;
import dev.cowherd.testkit.Ran;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Proves that {@code measure} computes what QEMU 10 computes, and says it in the same words. */
final class MeasureAgainstQemuTest {
    private static final String[] SIZES = {"0", "1", "512", "1M", "1000001", "1G", "63T"};
    private static final String[] OPTIONS = {
        "cluster_size=512",
        "cluster_size=2M",
        "cluster_size=4k,refcount_bits=1",
        "refcount_bits=64",
        "compat=0.10",
        "compat=0.10,cluster_size=1024",
        "extended_l2=on",
        "extended_l2=on,cluster_size=16k,refcount_bits=8",
        "preallocation=metadata",
        "preallocation=falloc",
        "preallocation=full,extended_l2=on",
        "lazy_refcounts=on,compression_type=zstd",
    };

    @TempDir
    Path folder;

    private final CommandLine commandLine = new CommandLine(Path.of(""));

    private void assertSame(List<String> flags) {
        List<String> arguments = new ArrayList<>(List.of("measure"));
        arguments.addAll(flags);
        Ran expected = QemuImg.v10().run(arguments);
        Ran actual = commandLine.run(arguments);
        assertThat(actual.out()).as("%s: %s", arguments, actual.err()).isEqualTo(expected.out());
        assertThat(actual.exit()).as("exit of %s: %s", arguments, actual.err()).isEqualTo(expected.exit());
        String firstLine = expected.err().lines().findFirst().orElse("");
        assertThat(actual.err().strip()).as("%s", arguments).isEqualTo(firstLine.replace("qemu-img: ", "cowherd: "));
    }

    @Test
    void sameForSizesAndOptions() {
        for (String size : SIZES) {
            assertSame(List.of("--size", size));
            assertSame(List.of("-O", "qcow2", "--size=" + size, "--output=json"));
            for (String options : OPTIONS) {
                assertSame(List.of("-O", "qcow2", "-o", options, "--size=" + size, "--output=json"));
            }
        }
        assertSame(List.of("-O", "qcow2", "--size", "10G"));
    }

    @Test
    void sameForTheWholeMatrixOfImages() {
        QemuImages images = QemuImages.shared();
        ImageRecipes.pairwise(1).parallelStream().map(images::make).forEach(made -> {
            String top = made.top().toString();
            assertSame(List.of("-O", "qcow2", top));
            assertSame(List.of("-O", "qcow2", "--output=json", "-o", "cluster_size=4k", top));
            assertSame(List.of("-O", "qcow2", "--output=json", "-o", "cluster_size=2M,compat=0.10", top));
            assertSame(List.of("-O", "raw", "--output=json", top));
            for (String snapshot : made.snapshots()) {
                assertSame(List.of("-O", "qcow2", "--output=json", "-l", snapshot, top));
            }
        });
    }

    @Test
    void countsEverythingWhereABackingFileMayHoldAnything() {
        Path image = folder.resolve("image.qcow2");
        QemuImg.v10().create(image, "10M");
        assertSame(List.of("-O", "qcow2", "-o", "backing_file=x,backing_fmt=raw", image.toString()));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "-O foo --size 1",
                "-O raw -o foo=3 --size 1",
                "-O qcow2 -o foo=3 --size 1",
                "-O qcow2 -o cluster_size=3 --size 1",
                "-O qcow2 -o cluster_size=4M --size 1",
                "-O qcow2 -o cluster_size=512 --size 10T",
                "-O qcow2 -o refcount_bits=3 --size 1",
                "-O qcow2 -o refcount_bits=128 --size 1",
                "-O qcow2 -o compat=0.10,refcount_bits=1 --size 1",
                "-O qcow2 -o compat=v3 --size 1",
                "-O qcow2 -o extended_l2=on,cluster_size=4k --size 1",
                "-O qcow2 -o extended_l2=maybe --size 1",
                "--size 1 /dev/null",
                "--size abc",
                "--size -1",
                "-O qcow2 --size 1 -o ,cluster_size=4k",
                "-O qcow2 --size 1 -o cluster_size=4k,",
            })
    void refusesInTheSameWords(String arguments) {
        assertSame(arguments.isEmpty() ? List.of() : List.of(arguments.split(" ")));
    }
}
