package dev.cowherd.bench.scaling;

import dev.cowherd.bench.Fixtures;
import dev.cowherd.image.CreateOptions;
import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.Engine;
import dev.cowherd.image.ImageCreator;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Reads by one queue and by four, of five kinds of image, in three orders: one after another with nothing of the tables in memory,
 * anywhere with nothing of the tables in memory, and one after another when all was read twice before. The host's files are in
 * its page cache. Bytes a second count.
 */
final class SeedTable {
    private static final int CLUSTER = 65536;
    private static final int[] QUEUES = {1, 4};
    private static final int DEEP = 32;
    /** Ends by itself. */
    private static final double ONE_PASS = 3600;

    private static final double MIB = 1 << 20;

    private final Fixtures fixtures;
    private final Report report;
    private final double seconds;

    SeedTable(Fixtures fixtures, Report report, boolean quick) {
        this.fixtures = fixtures;
        this.report = report;
        this.seconds = quick ? 0.12 : 1.5;
    }

    /** Requests of clusters a second. */
    private interface Order {
        Load.Count read(Path image, DiskOptions options, int queues) throws IOException;
    }

    void run() throws IOException {
        Map<String, Path> images = images();
        report.section("Reads of 64 KiB, MiB/s, one queue and four");
        report.head("image", "engine", "sequential 1", "4", "", "random 1", "4", "", "warm 1", "4", "");
        for (Map.Entry<String, Path> image : images.entrySet()) {
            for (Engine engine : List.of(Engine.SYNC, Engine.RING)) {
                DiskOptions options = DiskOptions.defaults().withEngine(engine);
                // Compiled first: what is measured is not the first second of a process.
                warm(image.getValue(), options, 1);
                List<String> cells = new ArrayList<>(
                        List.of(image.getKey(), engine == Engine.SYNC ? "sync" : "ring, depth " + DEEP));
                for (Order order : List.<Order>of(this::sequential, this::random, this::warm)) {
                    double[] rates = new double[QUEUES.length];
                    for (int i = 0; i < QUEUES.length; i++) {
                        rates[i] =
                                order.read(image.getValue(), options, QUEUES[i]).perSecond() * CLUSTER / MIB;
                        cells.add(String.format(Locale.ROOT, "%.0f", rates[i]));
                    }
                    cells.add(String.format(Locale.ROOT, "%.2f ×", rates[1] / rates[0]));
                }
                report.row(cells);
            }
        }
    }

    private Map<String, Path> images() throws IOException {
        Map<String, Path> images = new LinkedHashMap<>();
        Path plain = fixtures.plain();
        images.put("uncompressed", plain);
        images.put("zlib", fixtures.compressed("zlib"));
        images.put("zstd", fixtures.compressed("zstd"));
        images.put("qcow2 backing", overlay(plain, "qcow2"));
        images.put("raw backing", overlay(fixtures.raw(), "raw"));
        return images;
    }

    /** An empty image over another one. */
    private Path overlay(Path backing, String format) throws IOException {
        Path image = fixtures.folder().resolve("over-" + backing.getFileName() + ".qcow2");
        Files.deleteIfExists(image);
        ImageCreator.create(
                image,
                CreateOptions.ofSize(fixtures.plainBytes())
                        .backing(backing.getFileName().toString(), format)
                        .build());
        return image;
    }

    private Load load(int queues, double forSeconds) {
        return new Load(queues, DEEP, CLUSTER, 0, forSeconds);
    }

    private Load.Count pass(Disk disk, int queues) throws IOException {
        long part = disk.sizeBytes() / queues / CLUSTER * CLUSTER;
        return load(queues, ONE_PASS).on(disk, number -> Source.onePass(part * number, part * (number + 1), CLUSTER));
    }

    private Load.Count sequential(Path image, DiskOptions options, int queues) throws IOException {
        Load.Count sum = new Load.Count(0, 0, 0);
        while (sum.seconds() < seconds) {
            try (Disk disk = Disk.open(image, options)) {
                sum = sum.plus(pass(disk, queues));
            }
        }
        return sum;
    }

    private Load.Count random(Path image, DiskOptions options, int queues) throws IOException {
        try (Disk disk = Disk.open(image, options)) {
            return load(queues, seconds).on(disk, number -> Source.randomReads(disk.sizeBytes(), CLUSTER, number));
        }
    }

    private Load.Count warm(Path image, DiskOptions options, int queues) throws IOException {
        try (Disk disk = Disk.open(image, options)) {
            pass(disk, queues);
            pass(disk, queues);
            Load.Count sum = new Load.Count(0, 0, 0);
            while (sum.seconds() < seconds) {
                sum = sum.plus(pass(disk, queues));
            }
            return sum;
        }
    }
}
