package dev.cowherd.cli;

import static dev.cowherd.cli.CommandRun.cowherd;
import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.testkit.ImageRecipe;
import dev.cowherd.testkit.ImageRecipes;
import dev.cowherd.testkit.MadeImage;
import dev.cowherd.testkit.Processes;
import dev.cowherd.testkit.QemuImages;
import dev.cowherd.testkit.QemuImg;
import dev.cowherd.testkit.Ran;
import dev.cowherd.testkit.RunningPeer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Proves that an image that convert makes holds what the source holds, is whole, and takes the clusters that QEMU's takes. */
final class ConvertToQcow2Test {
    private static final Pattern ALLOCATED = Pattern.compile("\"allocated-clusters\": (\\d+)");

    private final QemuImg qemu = QemuImg.v10();

    @TempDir
    Path folder;

    private Path image = Path.of("");

    /** A third of the matrix: that all of it is read rightly, ConvertTest proves. */
    static List<ImageRecipe> matrix() {
        List<ImageRecipe> all = ImageRecipes.pairwise(1);
        return IntStream.range(0, all.size())
                .filter(i -> i % 3 == 0)
                .mapToObj(all::get)
                .toList();
    }

    @BeforeEach
    void makeAnImage() {
        image = folder.resolve("disk.qcow2");
        qemu.create(image, "8M");
        qemu.io(image, List.of("write -P 1 0 100k", "write -P 2 1M 64k", "write -P 0 2M 256k", "write -P 3 5M 512"));
    }

    @ParameterizedTest
    @MethodSource("matrix")
    void everyKindOfImageConverts(ImageRecipe recipe) {
        MadeImage made = QemuImages.shared().make(recipe);
        requireSameAsQemu(made.top(), "-f", "qcow2");
        for (String snapshot : made.snapshots()) {
            convert(made.top(), "-f", "qcow2", "-l", snapshot);
            assertThat(qemu.bytesOf(folder.resolve("ours"))).isEqualTo(qemu.bytesOf(made.top(), "-l", snapshot));
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "-S 0",
                "-S 512",
                "-S 64k",
                "-m 1",
                "-m 16 -W",
                "-t none",
                "-t unsafe",
                "-o cluster_size=512",
                "-o cluster_size=4k,refcount_bits=1",
                "-o cluster_size=2M,refcount_bits=64",
                "-o compat=0.10",
                "-o extended_l2=on",
                "-o lazy_refcounts=on,compression_type=zstd",
                "-o preallocation=metadata",
                "-o preallocation=full",
                "-o size=1M",
                "-S 0 -o cluster_size=2M",
            })
    void everyKindOfTargetIsFilled(String flags) {
        requireSameAsQemu(image, flags.split(" ", -1));
    }

    @Test
    void aDataFileHoldsTheGuestsBytes() throws IOException {
        Path data = folder.resolve("data.raw");
        convert(image, "-o", "data_file=" + data + ",data_file_raw=on");
        assertThat(Files.readAllBytes(data)).isEqualTo(qemu.bytesOf(image));
        qemu.run("check", folder.resolve("ours").toString()).orFail();
    }

    @Test
    void whatTheBackingFileShowsIsNotCopied() throws IOException {
        Path base = folder.resolve("base.qcow2");
        qemu.create(base, "6M");
        qemu.io(base, List.of("write -P 5 0 3M"));
        Path overlay = folder.resolve("overlay.qcow2");
        qemu.create(overlay, "8M", "-b", base.toString(), "-F", "qcow2");
        qemu.io(overlay, List.of("write -P 7 1M 100k", "write -z 2M 300k", "write -z 6M 1M", "write -P 0 512k 256k"));
        for (String flags : List.of("-B @ -F qcow2", "-o backing_file=@,backing_fmt=qcow2", "-B @ -F qcow2 -S 0")) {
            List<String> arguments = new ArrayList<>();
            for (String flag : List.of(flags.split(" ", -1))) {
                arguments.add(flag.replace("@", base.toString()));
            }
            requireSameAsQemu(overlay, arguments.toArray(String[]::new));
        }
        // Into an overlay that is there.
        Path target = folder.resolve("ours");
        Files.delete(target);
        qemu.create(target, "8M", "-b", base.toString(), "-F", "qcow2", "-o", "cluster_size=4k");
        cowherd(folder, "convert", "-O", "qcow2", "-n", "-B", base.toString(), overlay.toString(), "ours")
                .orFail();
        qemu.run("compare", overlay.toString(), target.toString()).orFail();
        qemu.run("check", target.toString()).orFail();
        assertThat(Files.size(target)).isLessThan(2 << 20);
    }

    @Test
    void noCreateWritesIntoTheImageAndLeavesWhatIsBehind() {
        Path target = folder.resolve("target");
        Path qemus = folder.resolve("qemus");
        for (String zero : List.of("-q", "--target-is-zero")) {
            for (Path one : List.of(target, qemus)) {
                qemu.create(one, "12M", "-o", "cluster_size=4k");
                qemu.io(one, List.of("write -P 9 0 12M"));
            }
            cowherd(folder, "convert", "-O", "qcow2", "-n", zero, image.toString(), "target")
                    .orFail();
            qemu.run("convert", "-O", "qcow2", "-n", zero, image.toString(), qemus.toString())
                    .orFail();
            qemu.run("compare", target.toString(), qemus.toString()).orFail();
            qemu.run("check", target.toString()).orFail();
        }
    }

    @Test
    void severalSourcesAreJoined() throws IOException {
        Path raw = folder.resolve("odd.raw");
        Files.write(raw, new byte[] {1, 2, 3});
        cowherd(folder, "convert", "-O", "qcow2", "-f", "raw", "odd.raw", "disk.qcow2", "ours")
                .orFail();
        qemu.run("convert", "-O", "qcow2", "-f", "raw", raw.toString(), image.toString(), folder + "/qemus")
                .orFail();
        qemu.run("compare", folder + "/ours", folder + "/qemus").orFail();
    }

    @Test
    void progressLooksLikeQemus() {
        Ran ran = cowherd(folder, "convert", "-O", "qcow2", "-p", image.toString(), "target");
        assertThat(ran.orFail().out()).matches("(    \\(\\d+\\.\\d\\d/100%\\)\\r)+\\n");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "-o cluster_size=3 disk.qcow2 target",
                "-o foo=3 disk.qcow2 target",
                "-o preallocation=foo disk.qcow2 target",
                "-F raw disk.qcow2 target",
                "-B base.raw disk.qcow2 target",
                "-o backing_file=base.raw disk.qcow2 target",
                "-B base.raw -F foo disk.qcow2 target",
                "-B base.raw -F raw -o preallocation=full disk.qcow2 target",
                "-B none -F raw disk.qcow2 target",
                "-n -o cluster_size=4k disk.qcow2 small.qcow2",
                "-n disk.qcow2 small.qcow2",
                "--target-is-zero disk.qcow2 target",
                "disk.qcow2 no/target",
            })
    void refusesInTheSameWords(String line) throws IOException {
        Files.write(folder.resolve("base.raw"), new byte[1 << 20]);
        qemu.create(folder.resolve("small.qcow2"), "1M");
        List<String> ours = new ArrayList<>(List.of("convert", "-O", "qcow2"));
        List<String> theirs = new ArrayList<>(ours);
        for (String argument : List.of(line.split(" ", -1))) {
            boolean file = argument.endsWith(".qcow2") || (argument.endsWith("target") && !argument.startsWith("--"));
            String name = file || argument.equals("base.raw") ? folder + "/" + argument : argument;
            ours.add(name);
            theirs.add(name);
        }
        Ran expected = qemu.run(theirs);
        Files.deleteIfExists(folder.resolve("target"));
        Ran actual = cowherd(folder, ours.toArray(String[]::new));
        assertThat(expected.exit()).isEqualTo(1);
        assertThat(actual.exit()).isEqualTo(1);
        String first = expected.err().lines().findFirst().orElse("");
        assertThat(actual.err().replace(" (ENOENT)", "").replace(folder + "/none", "none"))
                .isEqualTo(first.replace("qemu-img: ", "cowherd: ").replace(folder + "/none", "none") + "\n");
        assertThat(folder.resolve("target")).doesNotExist();
    }

    @Test
    void aHostThatRunsOutOfSpaceLeavesNothing() throws IOException {
        qemu.io(image, List.of("write -P 1 0 8M"));
        Path target = folder.resolve("target");
        Path existing = folder.resolve("existing");
        Files.write(existing, new byte[16]);
        String limited =
                "ulimit -f 2048; exec " + String.join(" ", CommandRun.ownProcess("convert", "-O", "qcow2")) + " ";
        Ran created = Processes.run("bash", "-c", limited + image + " " + target);
        assertThat(created.exit()).as(created.err()).isEqualTo(1);
        assertThat(created.err()).hasLineCount(1).contains("File too large").contains("target removed");
        assertThat(target).doesNotExist();
        Ran replaced = Processes.run("bash", "-c", limited + image + " " + existing);
        assertThat(replaced.exit()).isEqualTo(1);
        assertThat(existing).isEmptyFile();
    }

    @Test
    void ctrlCRemovesANewTargetAndLeavesAnOldOneConsistent() throws Exception {
        qemu.io(image, List.of("write -P 1 0 8M"));
        Path target = folder.resolve("target");
        interrupt(target, "-r", "1M");
        assertThat(target).doesNotExist();
        qemu.create(target, "8M", "-o", "cluster_size=4k");
        qemu.io(target, List.of("write -P 9 0 1M"));
        interrupt(target, "-n", "-r", "1M");
        qemu.run("check", target.toString()).orFail();
    }

    private void interrupt(Path target, String... flags) throws Exception {
        List<String> command = new ArrayList<>(List.of("convert", "-O", "qcow2", "-p"));
        command.addAll(List.of(flags));
        command.addAll(List.of(image.toString(), target.toString()));
        try (RunningPeer peer = RunningPeer.start(CommandRun.ownProcess(command.toArray(String[]::new)))
                // It shows progress once the target is open, and more of it once the copy is under way.
                .awaitSaid("%)\r    (")) {
            Processes.run("kill", "-INT", Long.toString(peer.process().pid())).orFail();
            assertThat(peer.awaitEnd().exit()).isEqualTo(130);
        }
    }

    private void convert(Path source, String... flags) {
        List<String> command = new ArrayList<>(List.of("convert", "-O", "qcow2"));
        command.addAll(List.of(flags));
        command.addAll(List.of(source.toString(), "ours"));
        assertThat(cowherd(folder, command.toArray(String[]::new)).orFail().out())
                .isEmpty();
    }

    private void requireSameAsQemu(Path source, String... flags) {
        convert(source, flags);
        Path ours = folder.resolve("ours");
        Path qemus = folder.resolve("qemus");
        List<String> theirs = new ArrayList<>(List.of("convert", "-O", "qcow2"));
        theirs.addAll(List.of(flags));
        theirs.addAll(List.of(source.toString(), qemus.toString()));
        qemu.run(theirs).orFail();
        qemu.run("compare", source.toString(), ours.toString()).orFail();
        assertThat(allocated(ours)).as("allocated clusters").isEqualTo(allocated(qemus));
    }

    private String allocated(Path made) {
        Ran check = qemu.run("check", "--output=json", made.toString()).orFail();
        Matcher matcher = ALLOCATED.matcher(check.out());
        return matcher.find() ? matcher.group(1) : "none";
    }
}
