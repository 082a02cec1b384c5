package dev.cowherd.nbd;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.Engine;
import dev.cowherd.testkit.Peers;
import dev.cowherd.testkit.Processes;
import dev.cowherd.testkit.QemuImg;
import dev.cowherd.testkit.Ran;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Real clients write an overlay over a raw file through the server; what they wrote is then read by QEMU from the image itself,
 * and its check finds nothing.
 */
@ParameterizedClass(name = "{0}")
@EnumSource(names = {"SYNC", "RING"})
class RealWritersTest {
    @Parameter
    private Engine engine = Engine.AUTO;

    private static final int MIB = 1 << 20;
    private static final int SIZE = 48 * MIB;

    @TempDir
    private Path folder;

    private final ConcurrentLinkedQueue<String> log = new ConcurrentLinkedQueue<>();
    private final QemuImg qemu = QemuImg.v10();
    private Path base = Path.of("");
    private Path image = Path.of("");
    private Disk disk;
    private NbdServer server;

    @BeforeEach
    void serve() throws IOException {
        base = folder.resolve("base.raw");
        image = folder.resolve("disk.qcow2");
        byte[] bytes = new byte[SIZE];
        new Random(4).nextBytes(bytes);
        Arrays.fill(bytes, 8 * MIB, 16 * MIB, (byte) 0);
        Files.write(base, bytes);
        qemu.create(image, "48M", "-b", "base.raw", "-F", "raw");
        disk = Disk.open(image, DiskOptions.defaults().withWritable(true));
        server = NbdServer.start(
                disk,
                NbdOptions.defaults()
                        .withEngine(engine)
                        .withAddress(UnixDomainSocketAddress.of(folder.resolve("nbd.sock")))
                        .withLog(log::add));
    }

    @AfterEach
    void stop() throws IOException {
        server.close();
        disk.close();
        assertThat(log).isEmpty();
    }

    /** Stops serving; the image must be sound and its disk the same as the raw file's. */
    private void expectSame(Path raw) throws IOException {
        server.close();
        disk.close();
        qemu.run("check", image.toString()).orFail();
        qemu.run("compare", "-f", "qcow2", "-F", "raw", image.toString(), raw.toString())
                .orFail();
    }

    @Test
    void nbdinfoShowsWhatIsOffered() {
        assertThat(run("nbdinfo", server.uri()).out())
                .contains(
                        "is_read_only: false",
                        "can_flush: true",
                        "can_fua: true",
                        "can_trim: true",
                        "can_zero: true",
                        "can_fast_zero: true",
                        "can_multi_conn: true");
    }

    @Test
    void nbdcopyCopiesInByFourConnectionsAndOutAgain() throws IOException {
        Path source = folder.resolve("source.raw");
        byte[] bytes = new byte[SIZE];
        new Random(5).nextBytes(bytes);
        Arrays.fill(bytes, 3 * MIB + 5000, 12 * MIB + 77, (byte) 0);
        Files.write(source, bytes);
        run("nbdcopy", "--connections=4", "--flush", source.toString(), server.uri());
        Path back = folder.resolve("back.raw");
        run("nbdcopy", "--connections=4", server.uri(), back.toString());
        assertThat(Files.mismatch(source, back)).isEqualTo(-1);
        expectSame(source);
    }

    @Test
    void qemuIoWritesZeroesAndDiscardsAsOnARawFile() throws IOException {
        List<String> commands = List.of(
                "write -P 1 0 64k",
                "write -P 2 100 5000",
                "write -f -P 3 1M 3M",
                "write -z 2M 512k",
                "write -z -u 20M 4M",
                "writev -P 4 30M 4k 8k 512",
                "aio_write -P 5 31M 128k",
                "aio_write -P 6 32M 128k",
                "aio_flush",
                "write -P 7 16777000 1000",
                "write -z -f 47M 1M",
                "flush",
                "read -P 3 1M 1M",
                "read -P 0 2M 512k",
                "read -P 0 20M 4M");
        Path twin = folder.resolve("twin.raw");
        Files.copy(base, twin);
        qemuIo(twin.toString(), commands);
        qemuIo(server.uri(), commands);
        expectSame(twin);
    }

    @Test
    void qemuImgConvertsIntoOurUri() throws IOException {
        for (QemuImg each : List.of(QemuImg.v7(), qemu)) {
            Path source = folder.resolve("source.qcow2");
            Files.deleteIfExists(source);
            each.create(source, "48M");
            each.io(source, List.of("write -P 9 1M 10M", "write -P 8 40M 5000"));
            each.run("convert", "-n", "-f", "qcow2", "-O", "raw", "-m", "8", "-W", source.toString(), server.uri())
                    .orFail();
            each.run("compare", "-f", "qcow2", "-F", "raw", source.toString(), server.uri())
                    .orFail();
        }
        Path raw = folder.resolve("expected.raw");
        qemu.convert(folder.resolve("source.qcow2"), raw);
        expectSame(raw);
    }

    @Test
    void fioWritesTrimsAndFlushesByFourJobsAndVerifiesAll() throws IOException {
        List<String> common = List.of(
                "--ioengine=nbd",
                "--uri=" + server.uri(),
                "--numjobs=4",
                "--offset_increment=12m",
                "--size=12m",
                "--thread",
                "--verify=crc32c",
                "--verify_fatal=1",
                "--verify_state_save=0",
                "--group_reporting");
        fio(common, "--rw=randwrite", "--bssplit=4k/60:16k/20:64k/20", "--iodepth=32", "--fsync=200");
        // fio would write a block while its trim is still under way; nobody promises an order for that.
        fio(common, "--rw=randtrimwrite", "--bs=64k", "--iodepth=8", "--serialize_overlap=1");
        fio(common, "--rw=randwrite", "--bs=4k", "--iodepth=4", "--fsync=1", "--io_size=256k");
        fio(common, "--rw=randwrite", "--bs=8k", "--iodepth=16", "--end_fsync=1");
        Path served = folder.resolve("served.raw");
        run("nbdcopy", "--connections=4", server.uri(), served.toString());
        expectSame(served);
    }

    @Test
    void theMapTellsWhatWasWrittenSince() {
        qemuIo(server.uri(), List.of("write -z -u 30M 1M"));
        assertThat(map()).contains(" 31457280 1048576 3 hole,zero");
        qemuIo(server.uri(), List.of("write -P 1 30720k 64k", "write -P 1 31168k 128k"));
        assertThat(map()).contains("31522816 393216 3 hole,zero").contains("32047104 458752 3 hole,zero");
    }

    private String map() {
        return run("nbdinfo", "--map", server.uri()).out().replaceAll(" +", " ");
    }

    private static void qemuIo(String target, List<String> commands) {
        List<String> command = new ArrayList<>(List.of(Peers.qemu10("qemu-io").toString(), "-f", "raw"));
        for (String one : commands) {
            command.addAll(List.of("-c", one));
        }
        command.add(target);
        Ran ran = Processes.run(command).orFail();
        assertThat(ran.out() + ran.err()).doesNotContain("failed");
    }

    private static void fio(List<String> common, String... options) {
        List<String> arguments = new ArrayList<>(List.of("--name=w"));
        arguments.addAll(common);
        arguments.addAll(List.of(options));
        String text = run("fio", arguments.toArray(String[]::new)).out();
        assertThat(text).contains("err= 0").doesNotContain("verify: bad");
    }

    private static Ran run(String tool, String... arguments) {
        List<String> command = new ArrayList<>(List.of(Peers.system(tool).toString()));
        command.addAll(List.of(arguments));
        return Processes.run(command).orFail();
    }
}
