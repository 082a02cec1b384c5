package dev.cowherd.cli;

import static dev.cowherd.cli.CommandRun.cowherd;
import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.testkit.QemuImg;
import dev.cowherd.testkit.Ran;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Proves that compare says and answers what QEMU's compare says and answers. */
final class CompareTest {
    private final QemuImg qemu = QemuImg.v10();

    @TempDir
    Path folder;

    @Test
    void textsAndExitCodesAreQemus() throws IOException {
        List<Path> images = new ArrayList<>();
        images.add(qcow2("empty", "1M"));
        images.add(qcow2("zeros", "1M", "write 0 64k", "write -z 64k 64k"));
        images.add(qcow2("data", "1M", "write -P 1 0 64k", "write -P 2 128k 1k"));
        images.add(qcow2("other", "1M", "write -P 1 0 64k", "write -P 2 128k 512", "write -P 3 131584 512"));
        images.add(qcow2("longer", "2M", "write -P 1 0 64k", "write -P 2 128k 1k"));
        images.add(qcow2("longer-data", "2M", "write -P 1 0 64k", "write -P 2 128k 1k", "write -P 9 1536k 512"));
        Path raw = folder.resolve("raw");
        qemu.convert(images.get(2), raw);
        images.add(raw);
        Path compressed = folder.resolve("compressed");
        qemu.convert(images.get(2), compressed, "-O", "qcow2", "-c");
        images.add(compressed);
        for (Path a : images) {
            for (Path b : images) {
                requireSameAsQemu(a.toString(), b.toString());
                requireSameAsQemu("-s", a.toString(), b.toString());
            }
        }
        requireSameAsQemu("-q", images.get(0).toString(), images.get(2).toString());
        requireSameAsQemu(
                "-f", "raw", "-F", "qcow2", raw.toString(), images.get(2).toString());
    }

    @Test
    void errorsHaveQemusExitCodes() {
        Path image = qcow2("image", "1M");
        String name = image.toString();
        requireSameExit(2, "missing", name);
        requireSameExit(2, name, "missing");
        requireSameExit(2, "-f", "foo", name, name);
        requireSameExit(2, "-T", "foo", name, name);
        requireSameExit(1, name);
        requireSameExit(1, name, name, name);
        requireSameExit(1, "-Z", name, name);
    }

    @Test
    void anUnreadablePlaceIsExitCode4() throws IOException {
        // The data cluster lies behind the end of the cut file.
        Path image = qcow2("cut", "1M", "write -P 1 0 256k");
        Path same = qcow2("same", "1M", "write -P 1 0 256k");
        byte[] garbage = new byte[4096];
        new Random(1).nextBytes(garbage);
        Path compressed = folder.resolve("compressed");
        qemu.convert(image, compressed, "-O", "qcow2", "-c");
        byte[] bytes = Files.readAllBytes(compressed);
        long first = 0x50000 < bytes.length ? 0x50000 : bytes.length - 200;
        System.arraycopy(garbage, 0, bytes, (int) first, 100);
        Files.write(compressed, bytes);
        requireSameExit(4, compressed.toString(), same.toString());
    }

    @Test
    void theFirstOfManyDifferencesIsReported() throws IOException {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        for (int round = 0; round < 12; round++) {
            Path a = folder.resolve("a" + round);
            Path b = folder.resolve("b" + round);
            qemu.create(a, "64M");
            List<String> writes = new ArrayList<>();
            for (int i = 0; i < 30; i++) {
                writes.add("write -P " + random.nextInt(3) + " " + random.nextInt(130_800) * 512L + " "
                        + (1 + random.nextInt(200)) * 512);
            }
            qemu.io(a, writes);
            if (random.nextBoolean()) {
                qemu.convert(a, b);
            } else {
                qemu.convert(a, b, "-O", "qcow2");
            }
            List<String> more = new ArrayList<>();
            for (int i = 0; i < random.nextInt(5); i++) {
                more.add("write -P " + (4 + i) + " " + random.nextInt(130_800) * 512L + " 512");
            }
            if (!more.isEmpty()) {
                qemu.io(a, more);
            }
            requireSameAsQemu("seed " + seed + " round " + round, a.toString(), b.toString());
            Files.delete(a);
            Files.delete(b);
        }
    }

    @Test
    void progressLooksLikeQemus() {
        Path a = qcow2("a", "16M", "write -P 1 0 16M");
        Ran ran = cowherd(folder, "compare", "-p", a.toString(), a.toString());
        assertThat(ran.out()).startsWith("    (0.00/100%)\r").endsWith("    (100.00/100%)\rImages are identical.\n\n");
    }

    private Path qcow2(String name, String size, String... commands) {
        Path image = folder.resolve(name);
        qemu.create(image, size);
        if (commands.length > 0) {
            qemu.io(image, List.of(commands));
        }
        return image;
    }

    private void requireSameAsQemu(String... arguments) {
        boolean described = arguments[0].startsWith("seed");
        List<String> command = new ArrayList<>(List.of("compare"));
        command.addAll(List.of(arguments).subList(described ? 1 : 0, arguments.length));
        Ran theirs = qemu.run(command);
        Ran ours = cowherd(folder, command.toArray(String[]::new));
        assertThat(ours.out()).as(String.join(" ", arguments)).isEqualTo(theirs.out());
        assertThat(ours.exit()).as(String.join(" ", arguments) + ours.err()).isEqualTo(theirs.exit());
    }

    private void requireSameExit(int exit, String... arguments) {
        List<String> command = new ArrayList<>(List.of("compare"));
        command.addAll(List.of(arguments));
        assertThat(qemu.run(command).exit()).as("qemu: " + command).isEqualTo(exit);
        Ran ours = cowherd(folder, command.toArray(String[]::new));
        assertThat(ours.exit()).as(command + ours.err()).isEqualTo(exit);
        assertThat(ours.err()).startsWith("cowherd: ").hasLineCount(1);
    }
}
