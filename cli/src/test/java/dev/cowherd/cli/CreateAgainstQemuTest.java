package dev.cowherd.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.testkit.QemuImg;
import dev.cowherd.testkit.Ran;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code create} makes the file that QEMU 10 makes, and says what it says, in success and in failure. */
final class CreateAgainstQemuTest {
    private static final QemuImg QEMU = QemuImg.v10();

    @TempDir
    Path folder;

    @BeforeEach
    void makeBackingFiles() throws IOException {
        Files.write(folder.resolve("base.raw"), new byte[3 << 20]);
        QEMU.create(folder.resolve("base.qcow2"), "5M");
        Files.createDirectory(folder.resolve("dir"));
    }

    /** The arguments apart by spaces, {@code @} for the test's folder. */
    private void same(String line) throws IOException {
        List<String> arguments = new ArrayList<>(List.of("create"));
        for (String argument : List.of(line.split(" ", -1))) {
            arguments.add(argument.replace("@", folder + "/"));
        }
        Ran expected = QEMU.run(arguments);
        byte[] theirs = take();
        Ran actual = new CommandLine(folder).run(arguments);
        byte[] ours = take();
        assertThat(actual.out()).as(actual.err()).isEqualTo(expected.out());
        // We add the error's number in letters.
        assertThat(actual.err().replace(" (ENOENT)", "")).isEqualTo(withoutAdvice(expected.err()));
        assertThat(actual.exit()).isEqualTo(expected.exit());
        // A failure of QEMU's leaves an empty file here and there.
        assertThat(ours).isEqualTo(expected.exit() == 0 ? theirs : null);
    }

    /** The bytes of the image that was made, null if there is none; it is removed. */
    private byte @Nullable [] take() throws IOException {
        Path image = folder.resolve("x");
        if (!Files.exists(image)) {
            return null;
        }
        byte[] bytes = Files.readAllBytes(image);
        Files.delete(image);
        return bytes;
    }

    private static String withoutAdvice(String errors) {
        StringBuilder kept = new StringBuilder();
        for (String line : errors.lines().toList()) {
            if (!line.startsWith("Try '")) {
                kept.append(line.replace("qemu-img: ", "cowherd: ")).append('\n');
            }
        }
        return kept.toString();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "@x 1M",
                "-f raw @x 1000",
                "-f raw -o preallocation=full @x 1M",
                "-f raw -o size=2M,preallocation=falloc @x",
                "-q -f raw @x 1M",
                "-f qcow2 @x 1G",
                "-f qcow2 -q @x 1G",
                "-f qcow2 @x 0",
                "-f qcow2 @x 1",
                "-f qcow2 @x 511b",
                "-f qcow2 @x 3.3k",
                "-f qcow2 @x 0x100000",
                "-f qcow2 -o size=7M @x",
                "-f qcow2 -o cluster_size=4k -o refcount_bits=8 @x 1M",
                "-f qcow2 -o lazy_refcounts @x 1M",
                "-f qcow2 -o nolazy_refcounts @x 1M",
                "-f qcow2 -o compat=0.10 @x 1M",
                "-f qcow2 -o compat=v3,cluster_size=2M,refcount_bits=0x20 @x 1M",
                "-f qcow2 -o extended_l2=on,compression_type=zstd @x 1M",
                "-f qcow2 -o preallocation=metadata @x 1M",
                "-f qcow2 -o data_file=@data,data_file_raw=on @x 1M",
                "-f qcow2 -o data_file=@data,preallocation=full,lazy_refcounts=on,compat=1.1 @x 1M",
                "-f qcow2 -b base.raw -F raw @x",
                "-f qcow2 -b @base.raw -F raw @x 4M",
                "--format=qcow2 --backing base.qcow2 --backing-format qcow2 --options cluster_size=512 @x",
                "-f qcow2 -o backing_file=base.raw,backing_fmt=raw,compat=0.10 @x",
                "-f qcow2 -o backing_file=base.raw,backing_fmt=qcow2 -b base.qcow2 -F raw @x",
                "-f qcow2 -u -b none -F raw @x 1M",
                "-f qcow2 -u -b a,b -F raw @x 1M",
                "-f qcow2 -u -b nbd:localhost:10809 -F raw @x 1M",
            })
    void makesTheSame(String line) throws IOException {
        same(line);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "@x",
                "-f qcow2 @x",
                "-f foo @x 1M",
                "-f qcow2 @x 1Q",
                "-f qcow2 -- @x -1",
                "-f qcow2 @x 1M 2M",
                "-f qcow2 @no/x 1M",
                "-f qcow2 @dir 1M",
                "-f qcow2 foo:bar 1M",
                "-f qcow2 -o size=1M @x 1M",
                "-f qcow2 -o foo=1 @x 1M",
                "-f raw -o cluster_size=4k @x 1M",
                "-f raw -o preallocation=metadata @x 1M",
                "-f raw -o preallocation=foo @x 1M",
                "-f raw -b base.raw -F raw @x",
                "-f raw -F raw @x 1M",
                "-f qcow2 -o cluster_size=1000 @x 1M",
                "-f qcow2 -o cluster_size=4M @x 1M",
                "-f qcow2 -o cluster_size=abc @x 1M",
                "-f qcow2 -o refcount_bits=3 @x 1M",
                "-f qcow2 -o refcount_bits=128 @x 1M",
                "-f qcow2 -o refcount_bits=abc @x 1M",
                "-f qcow2 -o refcount_bits=8,compat=0.10 @x 1M",
                "-f qcow2 -o compat=2 @x 1M",
                "-f qcow2 -o compat=0.10,lazy_refcounts=on @x 1M",
                "-f qcow2 -o compat=0.10,extended_l2=on @x 1M",
                "-f qcow2 -o compat=0.10,compression_type=zstd @x 1M",
                "-f qcow2 -o compat=0.10,data_file=@data @x 1M",
                "-f qcow2 -o extended_l2=on,cluster_size=8k @x 1M",
                "-f qcow2 -o extended_l2=maybe @x 1M",
                "-f qcow2 -o preallocation=maybe @x 1M",
                "-f qcow2 -o compression_type=lz4 @x 1M",
                "-f qcow2 -o data_file_raw=on @x 1M",
                "-f qcow2 -o data_file=@data,data_file_raw=on -b base.raw -F raw @x 1M",
                "-f qcow2 -o , @x 1M",
                "-f qcow2 -o cluster_size=4k, @x 1M",
                "-f qcow2 -b base.raw @x",
                "-f qcow2 -b base.qcow2 @x",
                "-f qcow2 -u -b base.raw @x 1M",
                "-f qcow2 -u -b base.raw -F raw @x",
                "-f qcow2 -b none -F raw @x",
                "-f qcow2 -b none -F raw @x 1M",
                "-f qcow2 -F raw @x 1M",
                "-f qcow2 -b base.raw -F foo @x 1M",
                "-f qcow2 -b @x -F raw @x 1M",
                "-f qcow2 -b base.raw -F raw -o preallocation=full @x",
                "-f qcow2 @x 64P",
                "-f qcow2 -o cluster_size=512 @x 129G",
            })
    void refusesInTheSameWords(String line) throws IOException {
        same(line.isEmpty() ? "-q" : line);
    }

    @Test
    void anEmptyListOrNameIsRefusedInTheSameWords() {
        for (List<String> arguments : List.of(
                List.of("create", "-f", "qcow2", "-o", "", folder + "/x", "1M"),
                List.of("create", "-f", "qcow2", "-b", "", "-F", "raw", folder + "/x", "1M"),
                List.of("create", "-f", "qcow2", folder + "/x", ""))) {
            Ran expected = QEMU.run(arguments);
            Ran actual = new CommandLine(folder).run(arguments);
            assertThat(actual.err()).isEqualTo(withoutAdvice(expected.err()));
            assertThat(actual.exit()).isEqualTo(expected.exit());
        }
    }

    @Test
    void relativeNamesStartFromTheFolderAndBackingNamesFromTheImage() throws IOException {
        Files.write(folder.resolve("dir/below.raw"), new byte[1 << 20]);
        Ran ran = new CommandLine(folder).run("create", "-f", "qcow2", "-b", "below.raw", "-F", "raw", "dir/top.qcow2");
        assertThat(ran.orFail().out())
                .contains("Formatting 'dir/top.qcow2'")
                .contains("size=1048576 backing_file=below.raw");
        QEMU.run("check", folder.resolve("dir/top.qcow2").toString()).orFail();
    }

    @Test
    void encryptionIsRefusedByNameAndTheOldFileKept() throws IOException {
        Path image = folder.resolve("x");
        Files.writeString(image, "precious");
        for (String option : List.of("encryption=on", "encrypt.format=luks")) {
            Ran ran = new CommandLine(folder).run("create", "-f", "qcow2", "-o", option, image.toString(), "1M");
            assertThat(ran.exit()).isEqualTo(1);
            assertThat(ran.err()).contains("encrypted images are not supported");
        }
        new CommandLine(folder).run("create", "-f", "qcow2", "-o", "cluster_size=3", image.toString(), "1M");
        assertThat(image).hasContent("precious");
    }

    @Test
    void helpListsTheOptions() {
        Ran ran = new CommandLine(folder).run("create", "-f", "qcow2", "-o", "cluster_size=4k,help");
        assertThat(ran.orFail().out()).startsWith("Supported qcow2 options:").contains("extended_l2=<bool (on/off)>");
        List<String> theirs =
                names(QEMU.run("create", "-f", "qcow2", "-o", "help").orFail().out());
        theirs.removeIf(name -> name.startsWith("encrypt"));
        assertThat(names(ran.out())).isEqualTo(theirs);
        assertThat(new CommandLine(folder).run("create", "-o", "?").orFail().out())
                .startsWith("Supported raw options:");
    }

    private static List<String> names(String help) {
        List<String> names = new ArrayList<>();
        for (String line : help.lines().toList()) {
            if (line.startsWith("  ")) {
                names.add(line.strip().substring(0, line.strip().indexOf('=')));
            }
        }
        return names;
    }
}
