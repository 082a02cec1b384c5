package dev.cowherd.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.testkit.Peers;
import dev.cowherd.testkit.QemuImg;
import dev.cowherd.testkit.Ran;
import dev.cowherd.testkit.RunningPeer;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * {@code check -r} prints byte for byte what qemu-img 10 prints, on both streams, ends with its exit codes, and leaves an image
 * that QEMU finds as it leaves its own, with the same content.
 */
class CheckRepairAgainstQemuTest {
    private static final QemuImg QEMU = QemuImg.v10();
    private static final long CLUSTER = 65536;
    /** Where qemu-img create puts them. */
    private static final long REFCOUNT_TABLE = CLUSTER;

    private static final long REFCOUNT_BLOCK = 2 * CLUSTER;
    private static final long L1 = 3 * CLUSTER;
    private static final long L2 = 4 * CLUSTER;

    @TempDir
    Path folder;

    private Path image;
    /** What a guest reads, whatever the damage. */
    private byte[] content;

    @BeforeEach
    void makeImage() {
        image = folder.resolve("image.qcow2");
        QEMU.create(image, "8M");
        QEMU.io(image, List.of("write -c 0 64k", "write -P 1 1M 64k", "write -P 2 640k 192k", "write -P 3 64k 64k"));
        content = QEMU.bytesOf(image);
    }

    /** Runs both on the same image, compares all they say and what they leave. */
    private void assertSame(int exit, String... arguments) throws IOException {
        byte[] damaged = Files.readAllBytes(image);
        Ran expected = QEMU.run(arguments);
        Ran left = QEMU.run("check", "--output=json", image.toString());
        Files.write(image, damaged);
        Ran ours = new CommandLine(folder).run(arguments);
        assertThat(ours.out()).isEqualTo(expected.out());
        assertThat(ours.err()).isEqualTo(expected.err().replace("qemu-img: ", "cowherd: "));
        assertThat(ours.exit()).isEqualTo(expected.exit()).isEqualTo(exit);
        Ran oursLeft = QEMU.run("check", "--output=json", image.toString());
        assertThat(oursLeft.out()).isEqualTo(left.out());
        assertThat(oursLeft.err()).isEqualTo(left.err());
        if (exit == 0) {
            assertThat(QEMU.bytesOf(image)).isEqualTo(content);
        }
        Files.write(image, damaged);
    }

    private void assertSameInAllForms(int exit, String mode) throws IOException {
        assertSame(exit, "check", "-r", mode, image.toString());
        assertSame(exit, "check", "-r", mode, "--output=json", image.toString());
        assertSame(exit, "check", "-q", "-r", mode, image.toString());
    }

    private void put(long offset, byte... bytes) throws IOException {
        try (FileChannel file = FileChannel.open(image, StandardOpenOption.WRITE)) {
            file.write(ByteBuffer.wrap(bytes), offset);
        }
    }

    private void putLong(long offset, long value) throws IOException {
        put(offset, ByteBuffer.allocate(8).putLong(value).array());
    }

    private void setRefcount(int cluster, int refcount) throws IOException {
        put(REFCOUNT_BLOCK + 2L * cluster, (byte) (refcount >> 8), (byte) refcount);
    }

    private long longAt(long offset) throws IOException {
        return ByteBuffer.wrap(Files.readAllBytes(image)).getLong((int) offset);
    }

    @Test
    void aCleanImageStaysByteForByteWhatItIs() throws IOException {
        byte[] before = Files.readAllBytes(image);
        assertSameInAllForms(0, "leaks");
        assertSameInAllForms(0, "all");
        new CommandLine(folder).run("check", "-r", "all", image.toString());
        assertThat(Files.readAllBytes(image)).isEqualTo(before);
    }

    @Test
    void leaksAreGivenBack() throws IOException {
        setRefcount(5, 2);
        setRefcount(7, 3);
        setRefcount(10, 0xffff);
        assertSameInAllForms(0, "leaks");
        assertSameInAllForms(0, "all");
    }

    @Test
    void leakedClustersBeyondWhatIsUsedAreGivenBack() throws IOException {
        try (FileChannel file = FileChannel.open(image, StandardOpenOption.WRITE)) {
            file.write(ByteBuffer.allocate(1), 20 * CLUSTER);
        }
        setRefcount(19, 1);
        setRefcount(20, 1);
        assertSameInAllForms(0, "leaks");
        assertSameInAllForms(0, "all");
    }

    @Test
    void refcountsThatAreTooLowAreRaisedOnlyByAll() throws IOException {
        QEMU.run("snapshot", "-c", "one", image.toString()).orFail();
        setRefcount(7, 1);
        setRefcount(8, 5);
        assertSameInAllForms(2, "leaks");
        assertSameInAllForms(0, "all");
    }

    @Test
    void aClusterInUseWithoutRefcountNeedsNewStructures() throws IOException {
        setRefcount(8, 0);
        setRefcount(5, 4);
        assertSameInAllForms(1, "leaks");
        assertSameInAllForms(0, "all");
    }

    @Test
    void aRepairGoesAroundThePageCacheWhenTold() throws IOException {
        setRefcount(8, 0);
        setRefcount(5, 4);
        putLong(L2 + 8, longAt(L2 + 8) ^ 1L << 63);
        put(79, (byte) 3);
        assertSame(0, "check", "-T", "none", "-r", "all", image.toString());
        assertSame(0, "check", "-T", "writethrough", "-r", "all", image.toString());
    }

    @Test
    void aRefcountTableWithoutEntriesIsMadeAnew() throws IOException {
        putLong(REFCOUNT_TABLE, 0);
        assertSameInAllForms(1, "leaks");
        assertSameInAllForms(0, "all");
    }

    @Test
    void aRefcountTableWithReservedBitsIsMadeAnew() throws IOException {
        putLong(REFCOUNT_TABLE + 8, 0x100);
        assertSameInAllForms(1, "leaks");
        assertSameInAllForms(0, "all");
    }

    @Test
    void aRefcountBlockThatIsAlsoATableIsMadeAnew() throws IOException {
        putLong(REFCOUNT_TABLE + 8, REFCOUNT_TABLE);
        assertSameInAllForms(1, "leaks");
        assertSameInAllForms(0, "all");
    }

    @Test
    void anUnalignedRefcountBlockIsMadeAnewWhereQemuGivesUp() throws IOException {
        putLong(REFCOUNT_TABLE, REFCOUNT_BLOCK + 512);
        Ran ours = new CommandLine(folder).run("check", "-r", "all", image.toString());
        assertThat(ours.exit()).isZero();
        assertThat(ours.out())
                .startsWith("The following inconsistencies were found and repaired:\n\n    0 leaked clusters\n");
        assertThat(QEMU.run("check", image.toString()).orFail().out()).startsWith("No errors were found on the image.");
        assertThat(QEMU.bytesOf(image)).isEqualTo(content);
    }

    @Test
    void wrongCopiedFlagsAreCorrected() throws IOException {
        putLong(L1, longAt(L1) ^ 1L << 63);
        putLong(L2 + 8, longAt(L2 + 8) ^ 1L << 63);
        putLong(L2 + 16 * 8, longAt(L2 + 16 * 8) ^ 1L << 63);
        assertSameInAllForms(0, "leaks");
        assertSameInAllForms(0, "all");
    }

    @Test
    void copiedFlagsStayAsTheyAreWhenOnlyLeaksMayBeRepairedAndMoreIsWrong() throws IOException {
        putLong(L2 + 8, longAt(L2 + 8) ^ 1L << 63);
        putLong(L1, longAt(L1) | 1);
        setRefcount(10, 3);
        assertSameInAllForms(2, "leaks");
        assertSameInAllForms(2, "all");
    }

    @Test
    void whatNobodyCanRepairIsStillThereAfterwards() throws IOException {
        putLong(L1, longAt(L1) | 1);
        setRefcount(7, 2);
        assertSameInAllForms(2, "leaks");
        assertSameInAllForms(2, "all");
    }

    @Test
    void aPreallocatedClusterOffItsBoundaryReadsAsZerosWithoutACluster() throws IOException {
        putLong(L2 + 8 * 40, 8 * CLUSTER + 512 | 1);
        assertSameInAllForms(2, "leaks");
        assertSameInAllForms(0, "all");
    }

    @ParameterizedTest
    @CsvSource({"leaks, 1", "leaks, 2", "leaks, 3", "all, 1", "all, 2", "all, 3"})
    void dirtyAndCorruptBitsGoWhenAllIsWell(String mode, byte bits) throws IOException {
        put(79, bits);
        assertSameInAllForms(0, mode);
        setRefcount(7, 4);
        assertSameInAllForms(0, mode);
        new CommandLine(folder).run("check", "-r", mode, image.toString());
        assertThat(longAt(72)).isZero();
    }

    @Test
    void theCorruptBitStaysWhileSomethingIsWrong() throws IOException {
        put(79, (byte) 2);
        putLong(L1, longAt(L1) | 1);
        new CommandLine(folder).run("check", "-r", "all", image.toString());
        assertThat(longAt(72)).isEqualTo(2);
    }

    @Test
    void unknownAutoclearBitsAreClearedByTheFirstWriteOnly() throws IOException {
        put(88, (byte) 0x80);
        new CommandLine(folder).run("check", "-r", "all", image.toString());
        assertThat(longAt(88)).isEqualTo(1L << 63);
        setRefcount(7, 4);
        new CommandLine(folder).run("check", "-r", "all", image.toString());
        assertThat(longAt(88)).isZero();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                ",refcount_bits=1,cluster_size=4k",
                ",refcount_bits=2,cluster_size=1k",
                ",refcount_bits=8,cluster_size=512",
                ",refcount_bits=64",
                ",extended_l2=on,cluster_size=16k"
            })
    void anImageWhoseWriterWasKilledIsRepaired(String options) throws Exception {
        killWriter(options);
        assertThat(longAt(72) & 1).isEqualTo(1);
        content = QEMU.bytesOf(image);
        assertSame(1, "check", "-r", "leaks", image.toString());
        assertSame(0, "check", "-r", "all", image.toString());
        assertSame(0, "check", "-r", "all", "--output=json", image.toString());
        new CommandLine(folder).run("check", "-r", "all", image.toString());
        assertThat(longAt(72) & 1).isZero();
    }

    /** An image whose refcounts were left behind; a snapshot of before makes some of them more than 1 where their width allows. */
    private void killWriter(String options) {
        QEMU.create(image, "24M", "-o", "lazy_refcounts=on".concat(options));
        QEMU.io(image, List.of("write -P 5 64k 300k", "write -P 6 10M 100k"));
        if (!options.contains("refcount_bits=1,")) {
            QEMU.run("snapshot", "-c", "before", image.toString()).orFail();
        }
        try (RunningPeer writer = RunningPeer.start(List.of(
                Peers.qemu10("qemu-io").toString(),
                "-f",
                "qcow2",
                "-c",
                "write -P 1 0 1M",
                "-c",
                "write -P 2 20M 700k",
                "-c",
                "flush",
                "-c",
                "sigraise 9",
                image.toString()))) {
            writer.awaitEnd();
        }
    }

    @Test
    void aDirtyImageIsRepairedBeforeItIsWrittenInTheWordsOfQemu() throws IOException {
        killWriter("");
        byte[] dirty = Files.readAllBytes(image);
        Path source = Files.write(folder.resolve("source.raw"), new byte[24 << 20]);
        Ran expected = QEMU.run("convert", "-n", "-f", "raw", "-O", "qcow2", source.toString(), image.toString());
        assertThat(expected.err()).contains("Rebuilding refcount structure");
        Files.write(image, dirty);
        Ran ours = new CommandLine(folder)
                .run("convert", "-n", "-f", "raw", "-O", "qcow2", source.toString(), image.toString());
        assertThat(ours.exit()).isEqualTo(expected.exit()).isZero();
        assertThat(ours.err()).isEqualTo(expected.err());
        assertThat(longAt(72)).isZero();
        assertThat(QEMU.run("check", image.toString()).orFail().out()).startsWith("No errors");
        assertThat(QEMU.run("compare", "-f", "raw", "-F", "qcow2", source.toString(), image.toString())
                        .exit())
                .isZero();
    }

    @Test
    void aDirtyImageThatCannotBeRepairedIsNotWritten() throws IOException {
        killWriter("");
        putLong(L1, longAt(L1) | 1);
        Path source = Files.write(folder.resolve("source.raw"), new byte[24 << 20]);
        Ran ours = new CommandLine(folder)
                .run("convert", "-n", "-f", "raw", "-O", "qcow2", source.toString(), image.toString());
        assertThat(ours.exit()).isEqualTo(1);
        assertThat(ours.err()).contains("could not be repaired");
        assertThat(longAt(72)).isEqualTo(1);
    }

    @Test
    void aLuksHeaderCountsWhenRefcountsAreMadeAnew() throws IOException {
        String[] secret = {"--object", "secret,id=key,data=abc"};
        QEMU.create(
                image,
                "4M",
                secret[0],
                secret[1],
                "-o",
                "encrypt.format=luks,encrypt.key-secret=key,encrypt.iter-time=10");
        String opened = "driver=qcow2,file.filename=" + image + ",encrypt.key-secret=key";
        QEMU.ioOn(
                List.of("--object", "secret,id=key,data=abc", "--image-opts"),
                Path.of(opened),
                List.of("write -P 9 0 1M"));
        putLong(longAt(48), 0);
        Ran ours = new CommandLine(folder).run("check", "-r", "all", image.toString());
        assertThat(ours.exit()).as(ours.err()).isZero();
        Ran checked = QEMU.run("check", secret[0], secret[1], "--image-opts", opened);
        assertThat(checked.orFail().out()).startsWith("No errors were found on the image.");
        QEMU.ioOn(
                List.of("--object", "secret,id=key,data=abc", "--image-opts"),
                Path.of(opened),
                List.of("read -P 9 0 1M"));
    }

    @Test
    void anImageInUseIsNotRepaired() throws IOException {
        setRefcount(7, 4);
        byte[] before = Files.readAllBytes(image);
        Process reader =
                new ProcessBuilder(Peers.qemu10("qemu-io").toString(), "-r", "-f", "qcow2", image.toString()).start();
        try {
            // The prompt stands for the image being open and locked.
            assertThat(reader.inputReader().read()).isEqualTo('q');
            Ran ours = new CommandLine(folder).run("check", "-r", "all", image.toString());
            assertThat(ours.exit()).isEqualTo(1);
            assertThat(ours.err()).contains("Could not open '" + image + "': ", "lock");
            assertThat(Files.readAllBytes(image)).isEqualTo(before);
        } finally {
            reader.destroyForcibly();
            reader.onExit().join();
        }
    }

    @Test
    void forceShareIsRefused() throws IOException {
        assertSame(1, "check", "-r", "all", "-U", image.toString());
    }
}
