package dev.cowherd.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.testkit.Peers;
import dev.cowherd.testkit.QemuImg;
import dev.cowherd.testkit.Ran;
import dev.cowherd.testkit.RunningPeer;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

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
        assertThat(ours("check", "--image-opts", image.toString()).exit()).isEqualTo(1);
        assertThat(ours("check", "--object", "x", image.toString()).exit()).isEqualTo(1);
    }

    @Test
    void progressGoesFromZeroToHundred() {
        Ran ran = ours("check", "-p", image.toString());
        assertThat(ran.out()).startsWith("    (0.00/100%)\r").contains("    (100.00/100%)\r\nNo errors were found");
    }

    @Test
    void anImageThatAWriterHoldsIsCheckedOnlyWhenToldToShare() throws IOException {
        Process writer =
                new ProcessBuilder(Peers.qemu10("qemu-io").toString(), "-f", "qcow2", image.toString()).start();
        try {
            // The prompt stands for the image being open and locked.
            assertThat(writer.inputReader().read()).isEqualTo('q');
            assertRefusedByTheLock("check", image.toString());
            assertSame(0, "check", "-U", image.toString());
            assertSame(0, "check", "--force-share", "--output=json", image.toString());
        } finally {
            writer.destroyForcibly();
            writer.onExit().join();
        }
    }

    @Test
    void anImageThatAServerHoldsIsCheckedOnlyWhenToldToShare() {
        Path socket = folder.resolve("nbd.sock");
        List<String> server = List.of(
                Peers.qemu10("qemu-nbd").toString(), "-t", "-f", "qcow2", "-k", socket.toString(), image.toString());
        try (RunningPeer writer = RunningPeer.start(server)) {
            awaitService(writer, socket);
            assertRefusedByTheLock("check", "--output=json", image.toString());
            assertSame(0, "check", "-U", image.toString());
        }
    }

    private void assertRefusedByTheLock(String... arguments) {
        String refusal = "Could not open '" + image + "': ";
        for (Ran ran : List.of(QEMU.run(arguments), ours(arguments))) {
            assertThat(ran.exit()).isEqualTo(1);
            assertThat(ran.out()).isEmpty();
            assertThat(ran.err()).contains(refusal, "Failed to get shared \"write\" lock");
        }
    }

    /** A client that is answered shows that the image is open; a look at the image itself would get in the server's way. */
    private static void awaitService(RunningPeer server, Path socket) {
        server.await(
                "its service",
                () -> QEMU.run("info", "nbd+unix:///?socket=" + socket).exit() == 0);
    }

    @Test
    void anImageThatAReaderHoldsIsCheckedBesideIt() {
        Path socket = folder.resolve("nbd.sock");
        String server = Peers.qemu10("qemu-nbd").toString();
        try (RunningPeer reader = RunningPeer.start(
                List.of(server, "-r", "-t", "-f", "qcow2", "-k", socket.toString(), image.toString()))) {
            awaitService(reader, socket);
            assertSame(0, "check", image.toString());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", ",cluster_size=512", ",refcount_bits=1,compat=1.1", ",compat=0.10"})
    void theAreaOfALuksHeaderIsCounted(String more) throws IOException {
        Path luks = folder.resolve("luks.qcow2");
        QEMU.create(
                luks,
                "4M",
                "--object",
                "secret,id=key,data=abc",
                "-o",
                "encrypt.format=luks,encrypt.key-secret=key,encrypt.iter-time=10".concat(more));
        assertSameCount(0, luks);
        // A cluster of the area loses its refcount, then gets one too many: without a count of the area nothing would
        // notice.
        if (more.isEmpty()) {
            setRefcount(luks, luksCluster(luks) + 28, 0);
            assertSameCount(2, luks);
            setRefcount(luks, luksCluster(luks) + 28, 2);
            assertSameCount(3, luks);
        }
    }

    /** QEMU wants the secret only to check; we need none. */
    private void assertSameCount(int exit, Path luks) {
        for (String output : List.of("--output=human", "--output=json")) {
            Ran expected = QEMU.run(
                    "check",
                    output,
                    "--object",
                    "secret,id=key,data=abc",
                    "--image-opts",
                    "driver=qcow2,file.filename=" + luks + ",encrypt.key-secret=key");
            Ran ours = ours("check", output, luks.toString());
            assertThat(withoutName(ours.out())).isEqualTo(withoutName(expected.out()));
            assertThat(ours.err()).isEqualTo(expected.err());
            assertThat(ours.exit()).isEqualTo(expected.exit()).isEqualTo(exit);
        }
    }

    private static String withoutName(String json) {
        return json.replaceFirst("\"filename\": .*", "");
    }

    /** The number of the first cluster of the LUKS header in an image with clusters of 64 KiB. */
    private static int luksCluster(Path luks) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(luks));
        int cluster = 0;
        while (bytes.getInt(cluster << 16) != 0x4c554b53) {
            cluster++;
        }
        return cluster;
    }

    private void setRefcount(int cluster, int refcount) throws IOException {
        setRefcount(image, cluster, refcount);
    }

    private static void setRefcount(Path image, int cluster, int refcount) throws IOException {
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
