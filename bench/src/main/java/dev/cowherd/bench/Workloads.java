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
    private final int rounds;
    private final double seconds;
    private final boolean quick;

    Workloads(Fixtures fixtures, int rounds, double seconds, boolean quick) {
        this.fixtures = fixtures;
        this.rounds = rounds;
        this.seconds = seconds;
        this.quick = quick;
    }

    /** One side of a comparison: runs once and answers with its figure, more is better. */
    private interface Side {
        double run() throws IOException;
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
        groups.put("nbd", this::nbd);
        groups.put("check", this::check);
        groups.put("convert", this::convert);
        groups.put("startup", this::startup);
        groups.put("heap", this::heap);
        return groups;
    }

    private List<Line> read() throws IOException {
        Path raw = fixtures.raw();
        Path image = fixtures.plain();
        ReadLoop random = new ReadLoop(BLOCK, true, seconds);
        String workload = "4 KiB random read, 1 queue, in process";
        return List.of(
                line(
                        workload,
                        "bare pread loop, raw",
                        0.9,
                        "/s",
                        () -> random.queues(image, 1),
                        () -> random.barePreads(raw, 1)),
                line(
                        workload,
                        "fio psync, raw",
                        0.9,
                        "/s",
                        () -> random.queues(image, 1),
                        () -> PeerRates.fioPsync(raw, seconds)),
                line(
                        "the same, 2 queues",
                        "our 1 queue",
                        1.8,
                        "/s",
                        () -> random.queues(image, 2),
                        () -> random.queues(image, 1)),
                line(
                        "bare pread loop, raw, 2 threads (what the machine gives)",
                        "the same, 1 thread",
                        1.8,
                        "/s",
                        () -> random.barePreads(raw, 2),
                        () -> random.barePreads(raw, 1)),
                line(
                        "4 KiB random read, 1 queue",
                        "qemu-img bench",
                        1.6,
                        "/s",
                        () -> random.queues(image, 1),
                        () -> PeerRates.qemuImgBench(image, BLOCK, true, quick ? 200_000 : 600_000)));
    }

    private List<Line> compressed() throws IOException {
        List<Line> lines = new ArrayList<>();
        ReadLoop random = new ReadLoop(CLUSTER, true, seconds);
        ReadLoop sequential = new ReadLoop(BLOCK, false, seconds);
        for (String type : List.of("zlib", "zstd")) {
            Path image = fixtures.compressed(type);
            int requests = type.equals("zlib") ? 4_000 : 12_000;
            lines.add(line(
                    "64 KiB random read, " + type + " clusters, 2 queues",
                    "qemu-img bench",
                    type.equals("zlib") ? 2.5 : 2,
                    "/s",
                    () -> random.queues(image, 2),
                    () -> PeerRates.qemuImgBench(image, CLUSTER, true, requests)));
            lines.add(line(
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
        ReadLoop random = new ReadLoop(BLOCK, true, seconds);
        return List.of(line(
                "overlay over qcow2 over raw, 4 KiB random, 1 queue",
                "our plain image",
                0.8,
                "/s",
                () -> random.queues(chain, 1),
                () -> random.queues(image, 1)));
    }

    private List<Line> nbd() throws IOException {
        Path image = fixtures.plain();
        List<Line> lines = new ArrayList<>();
        try (NbdPeers ours = NbdPeers.ours(image, fixtures.folder(), "");
                NbdPeers qemu = NbdPeers.qemu(image, fixtures.folder())) {
            PeerRates.fioNbd(ours.uri(), 2, Math.max(2, seconds));
            for (int connections = 1; connections <= 2; connections++) {
                int jobs = connections;
                lines.add(line(
                        "NBD, fio 4 KiB random read, depth 32, " + jobs + (jobs == 1 ? " connection" : " connections"),
                        "qemu-nbd 10",
                        jobs == 1 ? 1.2 : 1.6,
                        "/s",
                        () -> PeerRates.fioNbd(ours.uri(), jobs, seconds),
                        () -> PeerRates.fioNbd(qemu.uri(), jobs, seconds)));
            }
        }
        return lines;
    }

    private List<Line> check() throws IOException {
        String size = quick ? "32G" : "256G";
        String image = fixtures.preallocated(size).toString();
        return List.of(line(
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
            return List.of(line(
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
        return List.of(line(
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
        try (NbdPeers ours = NbdPeers.ours(image, fixtures.folder(), "-Xmx128m")) {
            double rate = PeerRates.fioNbd(ours.uri(), 4, Math.max(5, seconds));
            return List.of(new Line(
                    "NBD, 4 connections, random reads over " + size + "iB with -Xmx128m",
                    "being served at all",
                    1,
                    "/s",
                    new double[] {rate},
                    new double[0]));
        }
    }

    private Line line(String workload, String against, double target, String unit, Side ours, Side theirs)
            throws IOException {
        double[] our = new double[rounds];
        double[] their = new double[rounds];
        for (int i = 0; i < rounds; i++) {
            our[i] = ours.run();
            their[i] = theirs.run();
        }
        Line line = new Line(workload, against, target, unit, our, their);
        System.err.println(line.row());
        return line;
    }
}
