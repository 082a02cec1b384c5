package dev.cowherd.bench.scaling;

import dev.cowherd.image.CreateOptions;
import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.Engine;
import dev.cowherd.image.ImageCreator;
import dev.cowherd.image.Preallocation;
import dev.cowherd.storage.Storage;
import dev.cowherd.storage.filter.DelayStorage;
import java.io.IOException;

/** Runs loads on an image in memory whose every host operation waits first. As many of them wait at once as there are. */
final class LatencyHost {
    private static final int BLOCK = 4096;
    private static final int CLUSTER_BITS = 16;
    private static final long CLUSTER = 1L << CLUSTER_BITS;
    private static final long SMALL_DISK = 256L << 20;
    /** Large enough that no run allocates all of it. */
    private static final long LARGE_DISK = 256L << 30;

    private static final int FLUSH_INTERVAL = 64;

    /** What the queues do. */
    enum Work {
        /** 4 KiB reads anywhere, tables in memory. */
        READS("reads"),
        /** 4 KiB writes anywhere in allocated clusters. */
        OVERWRITES("overwrites"),
        /** 4 KiB into a new cluster each, the queues taking clusters in turn. */
        ALLOCATING("allocating writes"),
        /** 70 % reads, 30 % overwrites, and each queue flushes after 63 of them. */
        MIXED("70/30 with flushes");

        final String title;

        Work(String title) {
            this.title = title;
        }
    }

    private final double warmSeconds;
    private final double seconds;

    LatencyHost(double warmSeconds, double seconds) {
        this.warmSeconds = warmSeconds;
        this.seconds = seconds;
    }

    /**
     * What came out.
     *
     * @param perSecond requests a second of all queues
     * @param pauseMicros how long the host's pauses really were
     * @param cpuMicros processor time of this process for each request
     */
    record Outcome(double perSecond, double pauseMicros, double cpuMicros) {}

    /** What the machine gives: so many threads that do nothing but wait as the host would let them, pauses a second. */
    Outcome barePauses(int threads, long latencyNanos) throws IOException {
        PrecisePauses pauses = new PrecisePauses();
        Load.Count count = new Load(threads, 1, BLOCK, warmSeconds, seconds).of(number -> seconds -> {
            long end = System.nanoTime() + (long) (seconds * 1e9);
            long made = 0;
            while (System.nanoTime() < end) {
                pauses.park(latencyNanos);
                made++;
            }
            return made;
        });
        return outcome(count, pauses);
    }

    private static Outcome outcome(Load.Count count, PrecisePauses pauses) {
        return new Outcome(count.perSecond(), pauses.meanMicros(), 1e6 * count.cpuSeconds() / count.requests());
    }

    /** One run on a new image. */
    Outcome run(Work work, Engine engine, int queues, int depth, long latencyNanos) throws IOException {
        boolean empty = work == Work.ALLOCATING;
        long diskBytes = empty ? LARGE_DISK : SMALL_DISK;
        PrecisePauses pauses = new PrecisePauses();
        try (MappedStorage host = MappedStorage.create(diskBytes + (diskBytes >> 4))) {
            ImageCreator.create(host, null, image(diskBytes, empty));
            if (!empty) {
                host.takePages();
            }
            DiskOptions options = DiskOptions.defaults().withWritable(true).withEngine(engine);
            Storage slow = new DelayStorage(host.reopen(), request -> latencyNanos, pauses);
            try (Disk disk = Disk.open(slow, options)) {
                Load load = new Load(queues, depth, BLOCK, warmSeconds, seconds);
                Load.Count count = load.on(disk, number -> source(work, diskBytes, number, queues));
                return outcome(count, pauses);
            }
        }
    }

    /** New clusters have subclusters, so that a new one costs the host the guest's 4 KiB and not the copying of 64. */
    private static CreateOptions image(long diskBytes, boolean empty) {
        return CreateOptions.ofSize(diskBytes)
                .clusterBits(CLUSTER_BITS)
                .extendedL2(empty)
                .preallocation(empty ? Preallocation.OFF : Preallocation.METADATA)
                .build();
    }

    private static Source source(Work work, long diskBytes, int number, int queues) {
        return switch (work) {
            case READS -> Source.randomReads(diskBytes, BLOCK, number);
            case OVERWRITES -> Source.randomWrites(diskBytes, BLOCK, number);
            case ALLOCATING -> Source.interleavedWrites(diskBytes, CLUSTER, number, queues);
            case MIXED -> Source.mixed(diskBytes, BLOCK, FLUSH_INTERVAL, number);
        };
    }
}
