package dev.cowherd.nbd;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.Engine;
import dev.cowherd.testkit.Peers;
import dev.cowherd.testkit.Processes;
import dev.cowherd.testkit.QemuImg;
import dev.cowherd.testkit.Ran;
import dev.cowherd.testkit.RunningPeer;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * A chain made by QEMU (a compressed overlay over qcow2 over raw, of three sizes, with holes) served to the clients that people
 * use, over TCP and over a socket file, and compared byte for byte with what QEMU reads in it.
 */
@ParameterizedClass(name = "{0}")
@EnumSource(names = {"SYNC", "RING"})
class RealClientsTest {
    @Parameter
    private Engine engine = Engine.AUTO;

    private static final int MIB = 1 << 20;

    @TempDir
    private static Path folder;

    private static Path top = Path.of("");
    private static Path expected = Path.of("");

    private final ConcurrentLinkedQueue<String> log = new ConcurrentLinkedQueue<>();
    private Disk disk;
    private NbdServer tcp;
    private NbdServer unix;

    @BeforeAll
    static void makeChain() throws IOException {
        long seed = 0xC0FFEE;
        Path base = folder.resolve("base.raw");
        Path middle = folder.resolve("middle.qcow2");
        Path part = folder.resolve("part.raw");
        top = folder.resolve("top.qcow2");
        expected = folder.resolve("expected.raw");
        writeSome(base, 24 * MIB + 512, seed);
        writeSome(part, 40 * MIB, seed + 1);
        QemuImg qemu = QemuImg.v10();
        qemu.create(middle, "32M", "-b", "base.raw", "-F", "raw");
        List<String> writes = new ArrayList<>();
        for (int i = 0; i < 12; i++) {
            writes.add("write -P %d %dk %dk".formatted(17 + i, 2500 * i + 3, 700));
        }
        writes.add("write -z 20M 1M");
        qemu.io(middle, writes);
        qemu.convert(part, top, "-f", "raw", "-O", "qcow2", "-c", "-B", "middle.qcow2", "-F", "qcow2");
        qemu.io(top, List.of("write -P 201 39M 100k"));
        qemu.convert(top, expected, "-f", "qcow2");
    }

    /** Every other 256 KiB random, repeated bytes among them so that it compresses, the rest a hole. */
    private static void writeSome(Path path, int length, long seed) throws IOException {
        Random random = new Random(seed);
        try (FileChannel file = FileChannel.open(path, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            for (int at = 0; at < length; at += 512 << 10) {
                byte[] bytes = new byte[Math.min(256 << 10, length - at)];
                random.nextBytes(bytes);
                java.util.Arrays.fill(bytes, bytes.length / 3, bytes.length / 2, bytes[0]);
                file.write(ByteBuffer.wrap(bytes), at);
            }
            file.write(ByteBuffer.allocate(1), length - 1);
        }
    }

    @BeforeEach
    void serve() throws IOException {
        disk = Disk.open(top, DiskOptions.defaults());
        tcp = NbdServer.start(disk, NegotiationTest.anyPort(engine).withLog(log::add));
        unix = NbdServer.start(
                disk,
                NbdOptions.defaults()
                        .withEngine(engine)
                        .withAddress(UnixDomainSocketAddress.of(folder.resolve("nbd.sock")))
                        .withExportName("vm 1")
                        .withDescription("a chain")
                        .withLog(log::add));
    }

    @AfterEach
    void stop() throws IOException {
        tcp.close();
        unix.close();
        disk.close();
        assertThat(log).isEmpty();
    }

    private List<String> uris() {
        return List.of(tcp.uri(), unix.uri());
    }

    @Test
    void aChainMadeByQemuIsServedToFourParallelConnectionsWithIdenticalContent() throws IOException {
        for (String uri : uris()) {
            Path copy = folder.resolve("nbdcopy.raw");
            run("nbdcopy", "--connections=4", "--request-size=262144", uri, copy.toString());
            assertThat(Files.mismatch(copy, expected)).isEqualTo(-1);
            Files.delete(copy);
        }
    }

    @Test
    void nbdinfoShowsTheExport() throws IOException {
        for (String uri : uris()) {
            String text = run("nbdinfo", uri).out();
            assertThat(text).contains("export-size: " + Files.size(expected));
            assertThat(text).contains("is_read_only: true", "can_multi_conn: true", "base:allocation");
            String json = run("nbdinfo", "--list", "--json", uri).out();
            assertThat(json).contains("\"export-size\": " + Files.size(expected));
        }
        assertThat(run("nbdinfo", "--list", unix.uri()).out()).contains("vm 1", "a chain");
    }

    @Test
    void theMapIsTheOneThatQemusServerGives() throws IOException {
        Path socket = folder.resolve("qemu.sock");
        List<String> command = List.of(
                Peers.qemu10("qemu-nbd").toString(),
                "-r",
                "-t",
                "-f",
                "qcow2",
                "-k",
                socket.toString(),
                top.toString());
        try (RunningPeer qemu = RunningPeer.start(command).awaitFile(socket)) {
            // The file is there before it is listened on.
            qemu.await("its socket", () -> answers(socket));
            String theirs =
                    run("nbdinfo", "--map", "nbd+unix:///?socket=" + socket).out();
            assertThat(theirs.lines().count()).isGreaterThan(20);
            assertThat(run("nbdinfo", "--map", tcp.uri()).out()).isEqualTo(theirs);
        }
    }

    private static boolean answers(Path socket) {
        try (SocketChannel probe = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
            return probe.isConnected();
        } catch (IOException e) {
            return false;
        }
    }

    @Test
    void qemuImgConvertsAndComparesFromOurUri() throws IOException {
        for (QemuImg qemu : List.of(QemuImg.v10(), QemuImg.v7())) {
            for (String uri : uris()) {
                Path copy = folder.resolve("convert.raw");
                qemu.run("convert", "-f", "raw", "-O", "raw", "-m", "8", uri, copy.toString())
                        .orFail();
                assertThat(Files.mismatch(copy, expected)).isEqualTo(-1);
                Files.delete(copy);
                qemu.run("compare", "-f", "raw", "-F", "raw", uri, expected.toString())
                        .orFail();
                assertThat(qemu.run("info", "--output=json", uri).orFail().out())
                        .contains("\"virtual-size\": " + Files.size(expected));
            }
        }
    }

    @Test
    void simpleRepliesCarryTheSameContent() throws IOException {
        NbdOptions options = NegotiationTest.anyPort(engine).withStructuredReplies(false);
        try (NbdServer server = NbdServer.start(disk, options)) {
            Path copy = folder.resolve("simple.raw");
            run("nbdcopy", "--connections=4", server.uri(), copy.toString());
            assertThat(Files.mismatch(copy, expected)).isEqualTo(-1);
            Files.delete(copy);
        }
    }

    @Test
    void fioReadsWithFourJobs() {
        for (String uri : uris()) {
            String text = run(
                            "fio",
                            "--name=r",
                            "--ioengine=nbd",
                            "--uri=" + uri,
                            "--rw=randread",
                            "--bs=4k",
                            "--iodepth=32",
                            "--numjobs=4",
                            "--size=32M",
                            "--group_reporting")
                    .out();
            assertThat(text).contains("issued rwts: total=32768,0,0,0");
            assertThat(text).contains("err= 0");
        }
    }

    @Test
    void aClientKilledInTheMiddleLeavesTheOthersServed() throws IOException {
        Path copy = folder.resolve("killed.raw");
        for (int i = 0; i < 5; i++) {
            List<String> endless = List.of(
                    Peers.system("fio").toString(),
                    "--name=r",
                    "--ioengine=nbd",
                    "--uri=" + tcp.uri(),
                    "--rw=randread",
                    "--bs=64k",
                    "--iodepth=32",
                    "--size=32M",
                    "--time_based",
                    "--runtime=600",
                    "--thread"); // One process, so that killing it kills all of it.
            try (RunningPeer victim = RunningPeer.start(endless)) {
                victim.await("its connection", () -> tcp.connectionCount() > 0);
            }
            run("nbdcopy", "--connections=4", tcp.uri(), copy.toString());
            assertThat(Files.mismatch(copy, expected)).isEqualTo(-1);
            Files.delete(copy);
        }
        NbdServerTest.awaitTrue(() -> tcp.connectionCount() == 0);
    }

    @Test
    void aClientIsToldWhenTheServerIsFull() throws IOException {
        try (NbdServer small =
                        NbdServer.start(disk, NegotiationTest.anyPort(engine).withMaxConnections(1));
                RawClient first = RawClient.simple(small)) {
            Ran refused = QemuImg.v10().run("info", small.uri());
            assertThat(refused.exit()).isNotZero();
            assertThat(refused.err()).contains("limit of 1 connections");
            assertThat(first.socket.isConnected()).isTrue();
        }
    }

    private static Ran run(String tool, String... arguments) {
        List<String> command = new ArrayList<>(List.of(Peers.system(tool).toString()));
        command.addAll(List.of(arguments));
        return Processes.run(command).orFail();
    }
}
