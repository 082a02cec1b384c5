package dev.cowherd.bench.scaling;

import dev.cowherd.bench.Fixtures;
import dev.cowherd.bench.Rounds;
import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.Engine;
import dev.cowherd.storage.CacheMode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/** 4 KiB random reads by the ring engine at depth 32, against fio's io_uring on the raw file and against qemu-img bench. */
final class RingLines {
    private static final int BLOCK = 4096;
    private static final int DEPTH = 32;

    private final Path raw;
    private final Path image;
    private final Report report;
    private final RingPeers peers;
    private final double seconds;
    private final Map<String, Integer> best = new HashMap<>();

    RingLines(Fixtures fixtures, Report report, boolean quick) throws IOException {
        this.raw = fixtures.raw();
        this.image = fixtures.plain();
        this.report = report;
        this.seconds = quick ? 0.5 : 3;
        this.peers = new RingPeers(seconds, quick ? 100_000 : 400_000);
    }

    void run() throws IOException {
        Rounds rounds = report.rounds();
        report.section("4 KiB random reads, ring engine, depth " + DEPTH);
        report.lines();
        report.line(rounds.line(
                "page cache, 1 queue",
                "fio io_uring on the raw file, registered files and buffers, its best batching",
                0.9,
                "/s",
                () -> ours(CacheMode.WRITEBACK, Engine.RING, 1),
                () -> peers.fio(raw, false, 1)));
        report.line(rounds.line(
                "page cache, 2 queues",
                "our 1 queue",
                1.8,
                "/s",
                () -> ours(CacheMode.WRITEBACK, Engine.RING, 2),
                () -> ours(CacheMode.WRITEBACK, Engine.RING, 1)));
        report.line(rounds.line(
                "page cache, fio io_uring, 2 jobs (what the machine gives)",
                "1 job",
                1.8,
                "/s",
                () -> peers.fio(raw, false, 2),
                () -> peers.fio(raw, false, 1)));
        report.line(rounds.line(
                "page cache, 1 queue",
                "our sync engine, 1 queue",
                1.0,
                "/s",
                () -> ours(CacheMode.WRITEBACK, Engine.RING, 1),
                () -> ours(CacheMode.WRITEBACK, Engine.SYNC, 1)));
        for (int queues = 1; queues <= 2; queues++) {
            int jobs = queues;
            String what = "O_DIRECT, " + jobs + (jobs == 1 ? " queue" : " queues");
            report.line(rounds.line(
                    what,
                    "fio io_uring O_DIRECT on the raw file, " + jobs + (jobs == 1 ? " job" : " jobs"),
                    0.9,
                    "/s",
                    () -> ours(CacheMode.NONE, Engine.RING, jobs),
                    () -> peers.fio(raw, true, jobs)));
            report.line(rounds.line(
                    what,
                    "qemu-img bench -t none, io_uring or native",
                    jobs == 1 ? 1.5 : 2.5,
                    "/s",
                    () -> ours(CacheMode.NONE, Engine.RING, jobs),
                    () -> peers.qemuImgBench(image)));
        }
    }

    /** With the batch that is fastest here, found at the first call, as the peer's is. */
    private double ours(CacheMode cache, Engine engine, int queues) throws IOException {
        String key = cache + " " + queues;
        Integer batch = best.get(key);
        if (batch == null) {
            batch = 1;
            double most = 0;
            for (int candidate : RingPeers.BATCHES) {
                double rate = ours(cache, engine, queues, candidate);
                if (rate > most) {
                    most = rate;
                    batch = candidate;
                }
            }
            best.put(key, batch);
        }
        return ours(cache, engine, queues, batch);
    }

    private double ours(CacheMode cache, Engine engine, int queues, int batch) throws IOException {
        DiskOptions options = DiskOptions.defaults().withEngine(engine).withCacheMode(cache);
        try (Disk disk = Disk.open(image, options)) {
            return new Load(queues, DEPTH, BLOCK, seconds / 2, seconds, batch)
                    .on(disk, number -> Source.randomReads(disk.sizeBytes(), BLOCK, number))
                    .perSecond();
        }
    }
}
