package dev.cowherd.bench.scaling;

import dev.cowherd.bench.Fixtures;
import dev.cowherd.bench.Line;
import dev.cowherd.image.CreateOptions;
import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.DiskQueue;
import dev.cowherd.image.Engine;
import dev.cowherd.image.ImageCreator;
import dev.cowherd.image.Request;
import dev.cowherd.storage.Storage;
import dev.cowherd.storage.filter.DelayStorage;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * What each operation takes by itself, on both engines. What can be done for ever is done for a time; what uses an image up is done
 * in short runs on an image made for each, whose first milliseconds do not count.
 */
final class MicroSet {
    private static final int BLOCK = 4096;
    private static final int CLUSTER = 65536;
    private static final int RUN = 512;
    private static final double NOT_COUNTED = 0.005;
    private static final double FOR_EVER = -1;
    /** Ends by itself. */
    private static final double ONE_RUN = 3600;

    private static final int DEEP = 32;
    private static final long NEW_DISK = 1L << 30;
    /** 16 slices: fewer than there are tables. */
    private static final long SMALL_CACHE = 64 << 10;

    private static final long SCATTERED = 64L << 20;
    private static final long LATE_NANOS = 100_000;
    private static final long LEAST_COMPRESSED = 128L << 20;
    private static final long TABLE_COVERS = (long) CLUSTER * (CLUSTER / Long.BYTES);

    private final Fixtures fixtures;
    private final Report report;
    private final boolean quick;

    MicroSet(Fixtures fixtures, Report report, boolean quick) {
        this.fixtures = fixtures;
        this.report = report;
        this.quick = quick;
    }

    /** Opens a disk for the operation. */
    private interface Preparation {
        Disk open(DiskOptions options) throws IOException;
    }

    /**
     * An operation of the set.
     *
     * @param requestsOfOne requests that make up one operation
     * @param notCounted seconds at the start of a run; {@link #FOR_EVER} if the operation leaves the image as it needs it
     */
    private record Operation(
            String title,
            int blockBytes,
            int requestsOfOne,
            double notCounted,
            Preparation preparation,
            Requests requests) {}

    /** Makes the requests anew for each run. */
    private interface Requests {
        Source get();
    }

    private static Operation lasting(String title, int blockBytes, Preparation preparation, Requests requests) {
        return new Operation(title, blockBytes, 1, FOR_EVER, preparation, requests);
    }

    private static Operation passing(String title, int blockBytes, Preparation preparation, Requests requests) {
        return new Operation(title, blockBytes, 1, NOT_COUNTED, preparation, requests);
    }

    void run() throws IOException {
        report.section("Operations by themselves, µs each");
        report.head("operation", "sync", "ring, depth 1", "ring, depth " + DEEP);
        for (Operation operation : operations()) {
            report.row(List.of(
                    operation.title,
                    micros(operation, Engine.SYNC, 1),
                    micros(operation, Engine.RING, 1),
                    micros(operation, Engine.RING, DEEP)));
        }
        report.section("Every read in another L2 table, two queues");
        report.lines();
        for (Engine engine : List.of(Engine.SYNC, Engine.RING)) {
            report.line(missLine(engine));
        }
    }

    private List<Operation> operations() throws IOException {
        Path plain = fixtures.plain();
        Path written = fixtures.plainToWrite();
        Path zlib = fixtures.compressed("zlib");
        Path scattered = scattered();
        long bytes = fixtures.plainBytes();
        Preparation toWrite = options -> Disk.open(written, options.withWritable(true));
        return List.of(
                lasting("read", BLOCK, o -> Disk.open(plain, o), () -> aroundAndAround(bytes)),
                lasting("random read", BLOCK, o -> Disk.open(plain, o), () -> Source.randomReads(bytes, BLOCK, 1)),
                lasting("write in place", BLOCK, toWrite, () -> Source.randomWrites(bytes, BLOCK, 1)),
                passing("write of a new cluster", CLUSTER, o -> fresh(o, null), MicroSet::everyCluster),
                // The disk was written to already, so that its first milliseconds are behind it.
                new Operation("punch hole (discard of a cluster)", CLUSTER, 1, 0, this::filled, MicroSet::discards),
                new Operation("write and fsync", BLOCK, 2, FOR_EVER, toWrite, () -> syncs(bytes)),
                lasting("backing read", BLOCK, o -> fresh(o, plain), () -> Source.randomReads(bytes, BLOCK, 1)),
                passing("copy-up write of 4 KiB", BLOCK, o -> fresh(o, plain), MicroSet::everyCluster),
                lasting(
                        "compressed read (zlib)",
                        CLUSTER,
                        o -> Disk.open(zlib, o),
                        () -> Source.randomReads(LEAST_COMPRESSED, CLUSTER, 1)),
                lasting(
                        "multi-cluster read (8 × 64 KiB)",
                        8 * CLUSTER,
                        o -> Disk.open(plain, o),
                        () -> Source.randomReads(bytes, 8 * CLUSTER, 1)),
                lasting(
                        "the same, no two clusters neighbours",
                        8 * CLUSTER,
                        o -> Disk.open(scattered, o),
                        () -> Source.randomReads(SCATTERED, 8 * CLUSTER, 1)),
                lasting(
                        "the same, reads of the host 100 µs late",
                        8 * CLUSTER,
                        o -> Disk.open(scattered, o.withStorageFilter(MicroSet::late)),
                        () -> Source.randomReads(SCATTERED, 8 * CLUSTER, 1)),
                lasting("read with an L2 miss", BLOCK, this::withFewSlices, () -> misses(0)));
    }

    private String micros(Operation operation, Engine engine, int depth) throws IOException {
        DiskOptions options = DiskOptions.defaults().withEngine(engine);
        if (operation.notCounted == FOR_EVER) {
            Load load = new Load(1, depth, operation.blockBytes, quick ? 0.25 : 2, quick ? 0.25 : 2);
            return String.format(Locale.ROOT, "%.2f", once(operation, options, load));
        }
        Load load = new Load(1, depth, operation.blockBytes, operation.notCounted, ONE_RUN);
        long compiled = System.nanoTime() + (quick ? 1_000_000_000L : 4_000_000_000L);
        while (System.nanoTime() < compiled) {
            once(operation, options, load);
        }
        double[] runs = new double[quick ? 5 : 21];
        for (int i = 0; i < runs.length; i++) {
            runs[i] = once(operation, options, load);
        }
        Arrays.sort(runs);
        return String.format(Locale.ROOT, "%.2f", runs[runs.length / 2]);
    }

    private static double once(Operation operation, DiskOptions options, Load load) throws IOException {
        try (Disk disk = operation.preparation.open(options)) {
            Load.Count count = load.on(disk, queue -> operation.requests().get());
            return 1e6 * count.seconds() / count.requests() * operation.requestsOfOne;
        }
    }

    private Line missLine(Engine engine) throws IOException {
        Load one = new Load(1, engine == Engine.SYNC ? 1 : DEEP, BLOCK, 0.3, quick ? 0.5 : 2);
        Load two = new Load(2, one.depth(), BLOCK, 0.3, one.seconds());
        DiskOptions options = DiskOptions.defaults().withEngine(engine);
        return report.rounds()
                .line(
                        "L2 miss on every read, " + engine.name().toLowerCase(Locale.ROOT) + ", 2 queues",
                        "our 1 queue",
                        1.7,
                        "/s",
                        () -> missRate(options, two),
                        () -> missRate(options, one));
    }

    private double missRate(DiskOptions options, Load load) throws IOException {
        try (Disk disk = withFewSlices(options)) {
            return load.on(disk, this::misses).perSecond();
        }
    }

    private Disk withFewSlices(DiskOptions options) throws IOException {
        return Disk.open(fixtures.preallocated("256G"), options.withSliceCacheBytes(SMALL_CACHE));
    }

    /**
     * One block of each table of the queue's half of the disk. In one half together the queue behind would catch up, wait for the
     * table that the other one loads, and go on at its side: one load for two reads, and a wait for each.
     */
    private Source misses(int queue) {
        long tables = (256L << 30) / TABLE_COVERS / 2;
        AtomicLong next = new AtomicLong();
        return (token, buffer) ->
                new Request.Read(token, (queue * tables + next.getAndIncrement() % tables) * TABLE_COVERS, buffer);
    }

    private static Source times(Source source) {
        AtomicLong left = new AtomicLong(RUN);
        return (token, buffer) -> left.getAndDecrement() > 0 ? source.next(token, buffer) : null;
    }

    private static Source everyCluster() {
        return times(Source.interleavedWrites(NEW_DISK, CLUSTER, 0, 1));
    }

    private static Source discards() {
        AtomicLong next = new AtomicLong();
        return times((token, buffer) -> new Request.Discard(token, next.getAndIncrement() * CLUSTER, CLUSTER));
    }

    private static Source syncs(long bytes) {
        Source writes = Source.randomWrites(bytes, BLOCK, 1);
        AtomicLong made = new AtomicLong();
        return (token, buffer) ->
                made.getAndIncrement() % 2 == 1 ? new Request.Flush(token) : writes.next(token, buffer);
    }

    private static Source aroundAndAround(long bytes) {
        AtomicLong next = new AtomicLong();
        return (token, buffer) -> new Request.Read(token, next.getAndAdd(BLOCK) % bytes, buffer);
    }

    private Disk fresh(DiskOptions options, @Nullable Path backing) throws IOException {
        Path image = fixtures.folder().resolve("micro.qcow2");
        Files.deleteIfExists(image);
        CreateOptions.Builder create = CreateOptions.ofSize(backing == null ? NEW_DISK : fixtures.plainBytes());
        if (backing != null) {
            create.backing(backing.getFileName().toString(), "qcow2");
        }
        ImageCreator.create(image, create.build());
        return Disk.open(image, options.withWritable(true));
    }

    /** An image with every second cluster written first, so that no two that follow each other are neighbours on the host. */
    private Path scattered() throws IOException {
        Path image = fixtures.folder().resolve("scattered.qcow2");
        Files.deleteIfExists(image);
        ImageCreator.create(image, CreateOptions.ofSize(SCATTERED).build());
        try (Disk disk = Disk.open(image, DiskOptions.defaults().withWritable(true));
                DiskQueue queue = disk.openQueue();
                Arena arena = Arena.ofConfined()) {
            MemorySegment bytes = arena.allocate(CLUSTER, BLOCK).fill((byte) 0x5a);
            for (int first = 0; first < 2; first++) {
                for (long at = (long) first * CLUSTER; at < SCATTERED; at += 2 * CLUSTER) {
                    queue.write(at, bytes);
                }
            }
        }
        return image;
    }

    private static Storage late(Storage host) {
        return new DelayStorage(
                host,
                request -> request.operation() == dev.cowherd.storage.filter.Operation.READ ? LATE_NANOS : 0,
                new PrecisePauses());
    }

    /** A new image whose first clusters are all written. */
    private Disk filled(DiskOptions options) throws IOException {
        Disk disk = fresh(options, null);
        new Load(1, DEEP, CLUSTER, 0, ONE_RUN).on(disk, queue -> everyCluster());
        return disk;
    }
}
