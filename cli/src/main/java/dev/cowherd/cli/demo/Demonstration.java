package dev.cowherd.cli.demo;

import dev.cowherd.check.CheckListener;
import dev.cowherd.check.CheckOptions;
import dev.cowherd.check.CheckReport;
import dev.cowherd.check.ImageCheck;
import dev.cowherd.check.ImageRepair;
import dev.cowherd.check.RepairMode;
import dev.cowherd.image.CreateOptions;
import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.ImageCreator;
import dev.cowherd.nbd.NbdOptions;
import dev.cowherd.nbd.NbdServer;
import dev.cowherd.storage.FileOptions;
import dev.cowherd.storage.FileStorage;
import dev.cowherd.storage.Storage;
import java.io.IOException;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * The whole demonstration, step by step, in a folder of its own; any step that is not as it must be ends it with an exception.
 *
 * @param sizeBytes the disk's size, whole clusters of 64 KiB
 * @param each how long to read with each number of queues
 * @param warmup how long to read before that, not counted
 */
public record Demonstration(long sizeBytes, Duration each, Duration warmup) {
    private static final int[] QUEUES = {1, 2, 4};
    private static final long MEBIBYTE = 1 << 20;
    private static final double NANOS_PER_SECOND = 1e9;

    /** What the command shows: large enough to mean something, done in well under a minute. */
    public static final Demonstration USUAL =
            new Demonstration(192 * MEBIBYTE, Duration.ofMillis(1500), Duration.ofMillis(1500));

    /**
     * Runs it.
     *
     * @param folder an empty folder; what is left in it is the caller's to remove
     * @param out told of each step as it is done
     * @throws IOException if anything is not as it must be
     */
    public void run(Path folder, PrintStream out) throws IOException {
        long start = System.nanoTime();
        out.printf(Locale.ROOT, "Making a disk of %d MiB from three images ...%n%n", sizeBytes / MEBIBYTE);
        out.flush();
        DemoChain chain = DemoChain.create(folder, sizeBytes);
        describe(chain, out);
        try (Disk disk = Disk.open(chain.top(), DiskOptions.defaults())) {
            read(disk, out);
            check(chain, out);
            serve(disk, folder, out);
        }
        write(chain, folder, out);
        out.printf(Locale.ROOT, "%nAll as it must be, in %.1f s.%n", (System.nanoTime() - start) / NANOS_PER_SECOND);
        out.flush();
    }

    private static void describe(DemoChain chain, PrintStream out) throws IOException {
        line(out, chain.top(), "plain, zero and zstd-compressed clusters, over");
        line(out, chain.middle(), "plain and zlib-compressed clusters, over");
        line(out, chain.base(), "raw, with holes");
        out.flush();
    }

    private static void line(PrintStream out, Path file, String what) throws IOException {
        out.printf(Locale.ROOT, "  %-13s %4d MiB  %s%n", file.getFileName(), Files.size(file) / MEBIBYTE, what);
    }

    private void read(Disk disk, PrintStream out) throws IOException {
        int cores = Runtime.getRuntime().availableProcessors();
        out.printf(
                Locale.ROOT,
                "%nReading the disk through the chain, every byte verified (%d %s):%n%n",
                cores,
                cores == 1 ? "core" : "cores");
        out.println("  queues     MiB/s   ratio     verified");
        out.flush();
        VerifiedRead.run(disk, Math.min(2, cores), warmup);
        double one = 0;
        for (int queues : QUEUES) {
            VerifiedRead.Result result = VerifiedRead.run(disk, queues, each);
            double speed = result.mebibytesPerSecond();
            one = one == 0 ? speed : one;
            out.printf(
                    Locale.ROOT,
                    "  %6d  %8.0f  %6.2f  %7d MiB%n",
                    queues,
                    speed,
                    speed / one,
                    result.bytes() / MEBIBYTE);
            out.flush();
        }
        out.println();
    }

    private static void check(DemoChain chain, PrintStream out) throws IOException {
        @Nullable Path qemuImg = RealClient.qemuImg();
        for (Path image : List.of(chain.middle(), chain.top())) {
            CheckReport report;
            try (Storage storage = FileStorage.open(image, FileOptions.reading())) {
                report = ImageCheck.run(storage, CheckOptions.defaults(), CheckListener.SILENT);
            }
            if (!report.isClean()) {
                throw new IOException(image + ": check found " + report.corruptions() + " corruptions, "
                        + report.leaks() + " leaks, " + report.checkErrors() + " errors");
            }
            if (qemuImg != null) {
                RealClient.run(List.of(qemuImg.toString(), "check", "-q", "-f", "qcow2", image.toString()));
            }
            out.printf(
                    Locale.ROOT,
                    "  check %-13s no errors, %d clusters in use%s%n",
                    image.getFileName(),
                    report.allocatedClusters(),
                    qemuImg == null ? "" : "; qemu-img check agrees");
        }
        out.flush();
    }

    private void serve(Disk disk, Path folder, PrintStream out) throws IOException {
        RealClient client = RealClient.find();
        if (client == null) {
            out.println("  serve nbd           skipped: neither nbdcopy nor qemu-img is installed here");
            return;
        }
        Path copy = folder.resolve("copy.raw");
        NbdOptions options =
                NbdOptions.defaults().withAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
        long start = System.nanoTime();
        try (NbdServer server = NbdServer.start(disk, options)) {
            client.copy(server.uri(), copy);
        }
        double seconds = (System.nanoTime() - start) / NANOS_PER_SECOND;
        long verified = RealClient.verifyFile(copy, sizeBytes);
        out.printf(
                Locale.ROOT,
                "  serve nbd           %s copied all by %d %s in %.1f s; %d MiB of the copy verified%n",
                client.name(),
                client.connections(),
                client.connections() == 1 ? "connection" : "connections",
                seconds,
                verified / MEBIBYTE);
    }

    private void write(DemoChain chain, Path folder, PrintStream out) throws IOException {
        Path image = folder.resolve("written.qcow2");
        CreateOptions options = CreateOptions.ofSize(sizeBytes)
                .backing(chain.top().getFileName().toString(), "qcow2")
                .build();
        ImageCreator.create(image, options);
        out.printf(Locale.ROOT, "%nWriting an overlay by %d queues, in a process of its own:%n%n", WriteScript.QUEUES);
        out.flush();
        KilledWriters killed = KilledWriters.run(image, folder, each);
        out.printf(
                Locale.ROOT,
                "  killed (SIGKILL)    in the middle, after %d writes and %d flushes; %d MiB read back right%n",
                killed.writes(),
                killed.flushes(),
                killed.verifiedBytes() / MEBIBYTE);
        CheckReport report;
        try (Storage storage = FileStorage.open(image, FileOptions.writing())) {
            report = ImageRepair.run(storage, RepairMode.LEAKS, CheckOptions.defaults(), CheckListener.SILENT);
        }
        if (report.corruptions() > 0 || report.checkErrors() > 0) {
            throw new IOException(image + ": check found " + report.corruptions() + " corruptions, "
                    + report.checkErrors() + " errors");
        }
        @Nullable Path qemuImg = RealClient.qemuImg();
        if (qemuImg != null) {
            RealClient.run(List.of(qemuImg.toString(), "check", "-q", "-f", "qcow2", image.toString()));
        }
        out.printf(
                Locale.ROOT,
                "  check -r leaks      nothing corrupt, %d leaked clusters given back%s%n",
                report.leaksFixed(),
                qemuImg == null ? "" : "; qemu-img check agrees");
        WrittenDisk found = WrittenDisk.verify(image, killed.durable());
        out.printf(
                Locale.ROOT,
                "  opened again        %d blocks as flushed, %d written later, %d as below; every byte accounted for%n",
                found.flushed(),
                found.later(),
                found.below());
        out.flush();
    }
}
