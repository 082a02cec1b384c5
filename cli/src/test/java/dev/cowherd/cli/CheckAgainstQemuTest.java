package dev.cowherd.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.testkit.QemuImg;
import dev.cowherd.testkit.Ran;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code check} prints byte for byte what qemu-img 10 prints, on both streams, and ends with its exit codes. */
class CheckAgainstQemuTest {
    private static final QemuImg QEMU = QemuImg.v10();

    @TempDir
    Path folder;

    private Path image;

    @BeforeEach
    void makeImage() {
        image = folder.resolve("a \"b\".qcow2");
        QEMU.create(image, "64M");
        QEMU.io(image, List.of("write -c 0 64k", "write 1M 64k", "write 640k 192k", "write 64k 64k"));
    }

    @Test
    void aCleanImageIsPrintedAsQemuPrintsIt() {
        assertSame(0, "check", image.toString());
        assertSame(0, "check", "--output=json", image.toString());
        assertSame(0, "check", "-U", "-f", "qcow2", "-T", "writeback", image.toString());
        assertSame(0, "check", "-T", "none", image.toString());
        assertSame(0, "check", "-q", image.toString());
    }

    @Test
    void anEmptyImageIsPrintedAsQemuPrintsIt() {
        Path empty = folder.resolve("empty.qcow2");
        QEMU.create(empty, "0");
        assertSame(0, "check", empty.toString());
        assertSame(0, "check", "--output", "json", empty.toString());
    }

    @Test
    void leaksAndCorruptionsHaveQemusWordsAndExitCodes() throws IOException {
        setRefcount(7, 3);
        assertSame(2, "check", image.toString()); // The COPIED flag of the cluster is now wrong, too.
        setRefcount(7, 1);
        setRefcount(5, 2); // Compressed data: no flag contradicts.
        assertSame(3, "check", image.toString());
        assertSame(3, "check", "--output=json", image.toString());
        setRefcount(6, 0);
        assertSame(2, "check", image.toString());
        assertSame(2, "check", "--output=json", image.toString());
        assertSame(2, "check", "-q", image.toString());
    }

    @Test
    void placesThatCannotBeCheckedEndWithExitCode1AfterTheReport() throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.seek(65536);
            file.writeLong(0x20200);
        }
        assertSame(1, "check", image.toString());
        assertSame(1, "check", "--output=json", image.toString());
    }

    @Test
    void formatsWithoutCheckEndWith63() throws IOException {
        Path raw = Files.write(folder.resolve("r.raw"), new byte[4096]);
        assertSame(63, "check", raw.toString());
        assertSame(63, "check", "-f", "raw", image.toString());
        assertSame(1, "check", "-f", "qcow2", raw.toString());
        assertSame(1, "check", "-f", "foo", raw.toString());
    }

    @Test
    void wrongArgumentsAreRefusedInQemusWords() {
        assertFirstLineSame("check");
        assertFirstLineSame("check", "--output=x", image.toString());
        assertFirstLineSame("check", "-r", "foo", image.toString());
        assertFirstLineSame("check", "-T", "foo", image.toString());
    }

    @Test
    void whatIsNotThereYetIsRefused() {
        assertThat(ours("check", "-r", "all", image.toString()).err())
                .isEqualTo("cowherd: check -r is not implemented yet: nothing was repaired\n");
        assertThat(ours("check", "--image-opts", image.toString()).exit()).isEqualTo(1);
        assertThat(ours("check", "--object", "x", image.toString()).exit()).isEqualTo(1);
    }

    @Test
    void progressGoesFromZeroToHundred() {
        Ran ran = ours("check", "-p", image.toString());
        assertThat(ran.out()).startsWith("    (0.00/100%)\r").contains("    (100.00/100%)\r\nNo errors were found");
    }

    private void setRefcount(int cluster, int refcount) throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.seek(131072 + 2L * cluster);
            file.writeShort(refcount);
        }
    }

    private void assertSame(int exit, String... arguments) {
        Ran expected = QEMU.run(arguments);
        Ran ours = ours(arguments);
        assertThat(ours.out()).isEqualTo(expected.out());
        assertThat(ours.err()).isEqualTo(expected.err().replace("qemu-img: ", "cowherd: "));
        assertThat(ours.exit()).isEqualTo(expected.exit()).isEqualTo(exit);
    }

    private void assertFirstLineSame(String... arguments) {
        Ran expected = QEMU.run(arguments);
        Ran ours = ours(arguments);
        assertThat(ours.err().lines().findFirst())
                .isEqualTo(expected.err()
                        .replace("qemu-img: ", "cowherd: ")
                        .lines()
                        .findFirst());
        assertThat(ours.exit()).isEqualTo(expected.exit()).isEqualTo(1);
    }

    private Ran ours(String... arguments) {
        return new CommandLine(folder).run(arguments);
    }
}
