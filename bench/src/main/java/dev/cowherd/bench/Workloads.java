package dev.cowherd.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The workloads of the table. Each measures us and the peer in turn, round by round. */
final class Workloads {
    private static final int BLOCK = 4096;
    private static final int CLUSTER = 65536;

    private final Fixtures fixtures;
    private final Rounds rounds;
    private final double seconds;
    private final boolean quick;

    Workloads(Fixtures fixtures, int rounds, double seconds, boolean quick) {
        this.fixtures = fixtures;
        this.rounds = new Rounds(rounds);
        this.seconds = seconds;
        this.quick = quick;
    }

    /** A named group of lines. */
    interface Group {
        List<Line> run() throws IOException;
    }

    Map<String, Group> all() {
        Map<String, Group> groups = new LinkedHashMap<>();
        groups.put("read", this::read);
        groups.put("compressed", this::compressed);
        groups.put("chain", this::chain);
        NbdWorkloads nbd = new NbdWorkloads(fixtures, rounds, seconds);
        groups.put("nbd", nbd::reads);
        WriteWorkloads writes = new WriteWorkloads(fixtures, rounds, seconds, quick);
        groups.put("write", writes::overwrite);
        groups.put("allocate", writes::allocate);
        groups.put("flush", writes::flush);
        groups.put("nbdwrite", nbd::writes);
        groups.put("discard", writes::discard);
        groups.put("check", this::check);
        groups.put("convert", this::convert);
        groups.put("startup", this::startup);
        groups.put("heap", this::heap);
        return groups;
    }

    private List<Line> read() throws IOException {
        Path raw = fixtures.raw();
        Path image = fixtures.plain();
        RequestLoop random = new RequestLoop(BLOCK, true, seconds);
        String workload = "4 KiB random read, 1 queue, in process";
        return List.of(
                rounds.line(
                        workload,
                        "bare pread loop, raw",
                        0.9,
                        "/s",
                        () -> random.queues(image, 1),
                        () -> random.barePreads(raw, 1)),
                rounds.line(
                        workload,
                        "fio psync, raw",
                        0.9,
                        "/s",
                        () -> random.queues(image, 1),
                        () -> PeerRates.fioPsync(raw, seconds)),
                rounds.line(
                        "the same, 2 queues",
                        "our 1 queue",
                        1.8,
                        "/s",
                        () -> random.queues(image, 2),
                        () -> random.queues(image, 1)),
                rounds.line(
                        "bare pread loop, raw, 2 threads (what the machine gives)",
                        "the same, 1 thread",
                        1.8,
                        "/s",
                        () -> random.barePreads(raw, 2),
                        () -> random.barePreads(raw, 1)),
                rounds.line(
                        "4 KiB random read, 1 queue",
                        "qemu-img bench",
                        1.6,
                        "/s",
                        () -> random.queues(image, 1),
                        () -> PeerRates.qemuImgBench(image, BLOCK, true, quick ? 200_000 : 600_000)));
    }

    private List<Line> compressed() throws IOException {
        List<Line> lines = new ArrayList<>();
        RequestLoop random = new RequestLoop(CLUSTER, true, seconds);
        RequestLoop sequential = new RequestLoop(BLOCK, false, seconds);
        for (String type : List.of("zlib", "zstd")) {
            Path image = fixtures.compressed(type);
            int requests = type.equals("zlib") ? 4_000 : 12_000;
            lines.add(rounds.line(
                    "64 KiB random read, " + type + " clusters, 2 queues",
                    "qemu-img bench",
                    type.equals("zlib") ? 2.5 : 2,
                    "/s",
                    () -> random.queues(image, 2),
                    () -> PeerRates.qemuImgBench(image, CLUSTER, true, requests)));
            lines.add(rounds.line(
                    "4 KiB sequential read, " + type + " clusters, 1 queue",
                    "qemu-img bench",
                    5,
                    "/s",
                    () -> sequential.queues(image, 1),
                    () -> PeerRates.qemuImgBench(image, BLOCK, false, requests * 2)));
        }
        return lines;
    }

    private List<Line> chain() throws IOException {
        Path image = fixtures.plain();
        Path chain = fixtures.chain();
        RequestLoop random = new RequestLoop(BLOCK, true, seconds);
        return List.of(rounds.line(
                "overlay over qcow2 over raw, 4 KiB random, 1 queue",
                "our plain image",
                0.8,
                "/s",
                () -> random.queues(chain, 1),
                () -> random.queues(image, 1)));
    }

    private List<Line> check() throws IOException {
        String size = quick ? "32G" : "256G";
        String image = fixtures.preallocated(size).toString();
        return List.of(rounds.line(
                "check of " + size + "iB, all metadata preallocated, whole process",
                "qemu-img check",
                1.5,
                "runs/s",
                () -> 1 / Processes.seconds(Processes.cowherd(), "check", image),
                () -> 1 / Processes.seconds(Processes.qemu10("qemu-img").toString(), "check", image)));
    }

    private List<Line> convert() throws IOException {
        long bytes = quick ? 1L << 30 : 4L << 30;
        Path image = fixtures.allocated(bytes);
        Path target = fixtures.folder().resolve("converted.raw");
        try {
            return List.of(rounds.line(
                    "convert to raw, " + (bytes >> 30) + " GiB allocated, whole process",
                    "qemu-img convert",
                    1.0,
                    "MiB/s",
                    () -> convertWith(Processes.cowherd(), image, target, bytes),
                    () -> convertWith(Processes.qemu10("qemu-img").toString(), image, target, bytes)));
        } finally {
            Files.deleteIfExists(target);
        }
    }

    private static double convertWith(String tool, Path image, Path target, long bytes) throws IOException {
        Files.deleteIfExists(target);
        return (bytes >> 20) / Processes.seconds(tool, "convert", "-O", "raw", image.toString(), target.toString());
    }

    private List<Line> startup() throws IOException {
        String image = fixtures.plain().toString();
        Path hello = fixtures.folder().resolve("hello");
        Hello.compileInto(hello);
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        String launcher = Processes.cowherd();
        String[] bare = {java, "-cp", hello.toString(), "Hello"};
        String[] info = {launcher, "info", image};
        return List.of(rounds.line(
                "info, whole process",
                "a bare Hello class (2.5 × its wall time is 0.4)",
                0.4,
                "runs/s",
                () -> 1 / medianSeconds(info),
                () -> 1 / medianSeconds(bare)));
    }

    private double medianSeconds(String... command) throws IOException {
        double[] runs = new double[quick ? 5 : 11];
        for (int i = 0; i < runs.length; i++) {
            runs[i] = Processes.seconds(command);
        }
        return Line.median(runs);
    }

    /** Random reads all over 10 TiB whose tables are all there, with a heap that would not hold a tenth of them. */
    private List<Line> heap() throws IOException {
        String size = quick ? "256G" : "10T";
        Path image = fixtures.preallocated(size);
        try (NbdPeers ours = NbdPeers.ours(image, fixtures.folder(), false, "-Xmx128m")) {
            double rate = PeerRates.fioNbd(ours.uri(), false, BLOCK, 32, 4, Math.max(5, seconds));
            return List.of(new Line(
                    "NBD, 4 connections, random reads over " + size + "iB with -Xmx128m",
                    "being served at all",
                    1,
                    "/s",
                    new double[] {rate},
                    new double[0]));
        }
    }
}
