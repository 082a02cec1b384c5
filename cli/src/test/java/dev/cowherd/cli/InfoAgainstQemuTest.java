package dev.cowherd.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.testkit.ImageRecipes;
import dev.cowherd.testkit.Peers;
import dev.cowherd.testkit.QemuImages;
import dev.cowherd.testkit.QemuImg;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Proves that {@code info} prints what qemu-img prints, byte for byte, in the forms of QEMU 10 and 7.2. */
final class InfoAgainstQemuTest {
    @TempDir
    Path folder;

    private void assertSame(Path image, String... flags) {
        List<String> arguments = new ArrayList<>(List.of("info"));
        arguments.addAll(List.of(flags));
        arguments.add(image.toString());
        CommandLine commandLine = new CommandLine(Path.of(""));
        assertThat(commandLine.run(arguments).orFail().out())
                .as("%s", arguments)
                .isEqualTo(QemuImg.v10().run(arguments).orFail().out());
        List<String> compat = new ArrayList<>(List.of("--compat-output=7"));
        compat.addAll(arguments);
        assertThat(commandLine.run(compat).orFail().out())
                .as("%s", compat)
                .isEqualTo(QemuImg.v7().run(arguments).orFail().out());
    }

    private Path image(String size, String... options) {
        Path image = folder.resolve("image.qcow2");
        QemuImg.v10().create(image, size, options);
        return image;
    }

    private static void poke(Path file, long offset, byte... bytes) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.wrap(bytes), offset);
        }
    }

    @Test
    void sameForTheWholeMatrixOfImages() {
        QemuImages images = QemuImages.shared();
        ImageRecipes.pairwise(1).parallelStream().map(images::make).forEach(made -> {
            assertSame(made.top());
            assertSame(made.top(), "--output=json");
            assertSame(made.top(), "--backing-chain");
            assertSame(made.top(), "--backing-chain", "--output=json");
        });
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 511, 512, 1000, 1_048_576, 999_999_999, 5_000_000_000_000L})
    void sameForRawFilesOfAnyLength(long length) throws IOException {
        Path raw = folder.resolve("image.raw");
        Files.createFile(raw);
        try (FileChannel channel = FileChannel.open(raw, StandardOpenOption.WRITE)) {
            if (length > 0) {
                channel.write(ByteBuffer.allocate(1), length - 1);
            }
        }
        assertSame(raw);
        assertSame(raw, "-f", "raw", "--output=json");
    }

    @Test
    void sameForAQcow2ImageOpenedAsRaw() {
        assertSame(image("10M"), "-f", "raw");
    }

    @Test
    void sameForADirtyAndForACorruptImage() throws IOException {
        Path image = image("10M", "-o", "lazy_refcounts=on");
        for (byte bits : new byte[] {1, 2, 3}) {
            poke(image, 79, bits);
            assertSame(image);
            assertSame(image, "--output=json");
        }
    }

    @Test
    void sameForBitmapsInUseAndForBitmapsThatAreOutOfDate() throws IOException {
        Path image = image("10M");
        QemuImg.v10().run("bitmap", "--add", image.toString(), "one").orFail();
        long directory = directoryOffset(image);
        poke(image, directory + 15, (byte) 3);
        assertSame(image);
        assertSame(image, "--output=json");
        poke(image, 95, (byte) 0);
        assertSame(image);
        assertSame(image, "--output=json");
    }

    /** The bitmaps extension is the one with a type of 0x23852875; its directory's offset is its third field. */
    private static long directoryOffset(Path image) throws IOException {
        ByteBuffer first = ByteBuffer.wrap(Files.readAllBytes(image));
        int at = first.getInt(100);
        while (first.getInt(at) != 0x23852875) {
            at += 8 + (first.getInt(at + 4) + 7) / 8 * 8;
        }
        return first.getLong(at + 8 + 16);
    }

    @Test
    void sameForSnapshotsWithLongNamesStateAndNoInstructionCount() throws IOException {
        Path image = image("10M");
        QemuImg.v10()
                .run("snapshot", "-c", "a-name-that-is-much-longer-than-its-column", image.toString())
                .orFail();
        QemuImg.v10().run("snapshot", "-c", "ä name", image.toString()).orFail();
        long table = ByteBuffer.wrap(Files.readAllBytes(image)).getLong(64);
        // Running time 30 h and a bit, machine state of 3 GiB, all ones for no instruction count.
        poke(
                image,
                table + 24,
                ByteBuffer.allocate(8).putLong(108_123_456_789_012L).array());
        poke(image, table + 40, ByteBuffer.allocate(8).putLong(3L << 30).array());
        poke(image, table + 56, ByteBuffer.allocate(8).putLong(-1).array());
        assertSame(image);
        assertSame(image, "--output=json");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "encrypt.format=aes",
                "encrypt.format=aes,compat=0.10",
                "encrypt.format=luks,encrypt.iter-time=10",
                "encrypt.format=luks,encrypt.iter-time=10,compat=0.10",
                "encrypt.format=luks,encrypt.iter-time=10,cluster_size=512,data_file=data.raw,data_file_raw=on",
                "encrypt.format=luks,encrypt.iter-time=10,encrypt.cipher-alg=aes-128,encrypt.cipher-mode=cbc,"
                        + "encrypt.ivgen-alg=essiv,encrypt.ivgen-hash-alg=sha256,encrypt.hash-alg=sha512",
                "encrypt.format=luks,encrypt.iter-time=10,encrypt.cipher-alg=serpent-128,encrypt.cipher-mode=cbc,"
                        + "encrypt.ivgen-alg=plain,encrypt.hash-alg=sha1"
            })
    void sameForEncryptedImagesWithoutTheirSecret(String options) {
        Path image = encrypted(options);
        assertSame(image);
        assertSame(image, "--output=json");
    }

    private Path encrypted(String options) {
        String here = options.replace("data.raw", folder.resolve("data.raw").toString());
        return image("4M", "--object", "secret,id=key,data=abc", "-o", "encrypt.key-secret=key,".concat(here));
    }

    @Test
    void sameForASecondPassword() {
        Path image = encrypted("encrypt.format=luks,encrypt.iter-time=10");
        QemuImg.v10()
                .run(
                        "amend",
                        "--object",
                        "secret,id=key,data=abc",
                        "--object",
                        "secret,id=more,data=def",
                        "--image-opts",
                        "driver=qcow2,file.filename=" + image + ",encrypt.key-secret=key",
                        "-o",
                        "encrypt.state=active,encrypt.new-secret=more,encrypt.iter-time=10")
                .orFail();
        assertSame(image);
        assertSame(image, "--output=json");
    }

    @Test
    void refusesALuksHeaderThatIsNone() throws IOException {
        Path image = encrypted("encrypt.format=luks,encrypt.iter-time=10");
        ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(image));
        int luks = 0;
        while (bytes.getInt(luks) != 0x4c554b53) {
            luks += 65536;
        }
        for (int at : new int[] {0, 7, 8, 108, 170, 208}) {
            poke(image, luks + at, (byte) 3);
            assertThat(QemuImg.v10().run("info", image.toString()).exit()).isEqualTo(at == 170 ? 0 : 1);
            assertThat(new CommandLine(Path.of(""))
                            .run("info", image.toString())
                            .err())
                    .as("byte %s", at)
                    .startsWith("cowherd: Could not open '" + image + "': ")
                    .contains("LUKS")
                    .hasLineCount(1);
            poke(image, luks + at, bytes.get(luks + at));
        }
    }

    @Test
    void sameForABackingFileInAnotherFolder() throws IOException {
        Path below = Files.createDirectories(folder.resolve("below"));
        Path base = below.resolve("base.qcow2");
        QemuImg.v10().create(base, "3M");
        Path image = image("3M", "-b", "below/base.qcow2", "-F", "qcow2");
        assertSame(image);
        assertSame(image, "--backing-chain", "--output=json");
        Path absolute = folder.resolve("absolute.qcow2");
        QemuImg.v10().create(absolute, "3M", "-b", base.toString(), "-F", "qcow2");
        assertSame(absolute, "--backing-chain");
        QemuImg.v10()
                .run("rebase", "-u", "-b", "gone.qcow2", "-F", "qcow2", absolute.toString())
                .orFail();
        assertSame(absolute, "--output=json");
    }

    @Test
    void refusesAnImageThatAWriterHoldsUnlessToldToShare() throws Exception {
        Path image = image("10M");
        Process writer = new ProcessBuilder(Peers.qemu10("qemu-io").toString(), "-f", "qcow2", image.toString())
                .redirectErrorStream(true)
                .start();
        try {
            // The prompt stands for the image being open and locked.
            assertThat(writer.inputReader().read()).isEqualTo('q');
            CommandLine commandLine = new CommandLine(Path.of(""));
            assertThat(QemuImg.v10().run("info", image.toString()).err())
                    .contains("Failed to get shared \"write\" lock");
            assertThat(commandLine.run("info", image.toString()).err())
                    .startsWith("cowherd: Could not open '" + image + "': ")
                    .contains("lock")
                    .hasLineCount(1);
            assertThat(commandLine.run("info", "-U", image.toString()).out()).startsWith("image: ");
        } finally {
            writer.outputWriter().append("quit\n").close();
            writer.waitFor();
        }
    }

    @Test
    void refusesAChainThatIsALoop() {
        Path a = folder.resolve("a.qcow2");
        Path b = folder.resolve("b.qcow2");
        QemuImg.v10().create(a, "1M");
        QemuImg.v10().create(b, "1M", "-b", a.toString(), "-F", "qcow2");
        QemuImg.v10()
                .run("rebase", "-u", "-b", b.toString(), "-F", "qcow2", a.toString())
                .orFail();
        assertThat(new CommandLine(Path.of(""))
                        .run("info", "--backing-chain", a.toString())
                        .err())
                .isEqualTo("cowherd: Backing file '" + a + "' creates an infinite loop.\n");
    }
}
