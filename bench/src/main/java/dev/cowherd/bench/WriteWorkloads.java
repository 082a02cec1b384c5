package dev.cowherd.bench;

import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.DiskQueue;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;

/** The write lines of the table: overwriting, allocating, copying up, flushing, over NBD, discarding. */
final class WriteWorkloads {
    private static final int BLOCK = 4096;
    private static final int CLUSTER = 65536;
    private static final long GIB = 1L << 30;
    private static final int WARM_UPS = 6;
    private static final int WARM_UP_REQUESTS = 4000;

    private final Fixtures fixtures;
    private final Rounds rounds;
    private final double seconds;
    private final boolean quick;
    /** Block sizes whose way through the engine the compiler has seen: a server writes for hours, the first seconds say little. */
    private final Set<Integer> compiled = new HashSet<>();

    WriteWorkloads(Fixtures fixtures, Rounds rounds, double seconds, boolean quick) {
        this.fixtures = fixtures;
        this.rounds = rounds;
        this.seconds = seconds;
        this.quick = quick;
    }

    List<Line> overwrite() throws IOException {
        Path raw = fixtures.rawToWrite();
        Path image = fixtures.plainToWrite();
        RequestLoop random = new RequestLoop(BLOCK, true, seconds);
        int requests = quick ? 100_000 : 300_000;
        List<Line> lines = new ArrayList<>(List.of(
                rounds.line(
                        "4 KiB random overwrite, allocated, 1 queue",
                        "bare pwrite loop, raw",
                        0.9,
                        "/s",
                        () -> random.writingQueues(image, 1),
                        () -> random.barePwrites(raw, 1)),
                rounds.line(
                        "the same",
                        "qemu-img bench -w",
                        3,
                        "/s",
                        () -> random.writingQueues(Fixtures.dirty(image), 1),
                        () -> PeerRates.qemuImgBenchOverwrite(image, BLOCK, requests)),
                rounds.line(
                        "the same, 2 queues",
                        "our 1 queue",
                        1.7,
                        "/s",
                        () -> random.writingQueues(image, 2),
                        () -> random.writingQueues(image, 1)),
                rounds.line(
                        "bare pwrite loop, raw, 2 threads (what the machine gives)",
                        "the same, 1 thread",
                        1.7,
                        "/s",
                        () -> random.barePwrites(raw, 2),
                        () -> random.barePwrites(raw, 1))));
        try {
            lines.add(onDevice(
                    image,
                    device -> rounds.line(
                            "4 KiB random overwrite, image on a block device, 2 queues",
                            "our 1 queue",
                            1.7,
                            "/s",
                            () -> random.writingQueues(device, 2),
                            () -> random.writingQueues(device, 1))));
            long bytes = fixtures.plainBytes();
            lines.add(onDevice(
                    raw,
                    device -> rounds.line(
                            "bare pwrite loop on a block device, 2 threads (what the machine gives)",
                            "the same, 1 thread",
                            1.7,
                            "/s",
                            () -> random.barePwrites(device, 2, bytes),
                            () -> random.barePwrites(device, 1, bytes))));
        } catch (NoDeviceException e) {
            System.err.println("no lines for a block device: " + e.getMessage());
        }
        return lines;
    }

    private interface OnDevice {
        Line measure(Path device) throws IOException;
    }

    private static final class NoDeviceException extends IOException {
        private static final long serialVersionUID = 1L;

        NoDeviceException(IOException cause) {
            super(cause.getMessage(), cause);
        }
    }

    /** The kernel lets one thread at a time write into a file's pages, but any number into those of a block device. */
    private static Line onDevice(Path file, OnDevice line) throws IOException {
        String device;
        try {
            device = Processes.run("losetup", "--find", "--show", file.toString())
                    .strip();
        } catch (IOException e) {
            throw new NoDeviceException(e);
        }
        try {
            return line.measure(Path.of(device));
        } finally {
            Processes.run("losetup", "--detach", device);
        }
    }

    List<Line> allocate() throws IOException {
        Path raw = fixtures.raw();
        long bytes = fixtures.plainBytes();
        int clusters = (int) (bytes / CLUSTER);
        return List.of(
                allocating(
                        "64 KiB allocating write into an empty image, no flush, 1 queue", null, CLUSTER, clusters, 1),
                allocating("the same, 2 queues", null, CLUSTER, clusters, 2),
                rounds.line(
                        "bare pwrite loop, 64 KiB each into a new raw file (what the machine gives)",
                        "qemu-img bench -w",
                        1.5,
                        "/s",
                        () -> betterOfTwo(() -> bareSteps(null, clusters, 0, 1)),
                        () -> theirSteps(null, CLUSTER, clusters, 0)),
                allocating("4 KiB allocating write over a raw backing file, 1 queue", raw, BLOCK, clusters, 1),
                allocating("the same, 2 queues", raw, BLOCK, clusters, 2),
                rounds.line(
                        "bare pread and pwrite loop, 64 KiB each, raw to new raw (what the machine gives)",
                        "qemu-img bench -w",
                        1.5,
                        "/s",
                        () -> betterOfTwo(() -> bareSteps(raw, clusters, 0, 1)),
                        () -> theirSteps(raw, BLOCK, clusters, 0)),
                rounds.line(
                        "the same bare loop, 2 threads (what the machine gives)",
                        "qemu-img bench -w",
                        1.5,
                        "/s",
                        () -> betterOfTwo(() -> bareSteps(raw, clusters, 0, 2)),
                        () -> theirSteps(raw, BLOCK, clusters, 0)));
    }

    /** QEMU's tool has one queue, whose requests keep two cores busy. */
    private Line allocating(String title, @Nullable Path backing, int blockBytes, int clusters, int queues)
            throws IOException {
        return rounds.line(
                title,
                "qemu-img bench -w",
                1.5,
                "/s",
                () -> betterOfTwo(() -> ourSteps(backing, blockBytes, clusters, 0, queues)),
                () -> theirSteps(backing, blockBytes, clusters, 0));
    }

    List<Line> flush() throws IOException {
        int requests = quick ? 4000 : 8000;
        return List.of(
                rounds.line(
                        "64 KiB allocating writes, a flush after each 1,000",
                        "qemu-img bench -w --flush-interval",
                        1.0,
                        "/s",
                        () -> betterOfTwo(() -> ourSteps(null, CLUSTER, requests, 1000, 1)),
                        () -> theirSteps(null, CLUSTER, requests, 1000)),
                rounds.line(
                        "bare pwrite loop, fdatasync after each 1,000 (what the machine gives one thread)",
                        "qemu-img bench -w --flush-interval",
                        1.0,
                        "/s",
                        () -> betterOfTwo(() -> bareSteps(null, requests, 1000, 1)),
                        () -> theirSteps(null, CLUSTER, requests, 1000)));
    }

    /** The peer's figure is the better of its two ways to do I/O; where figures jump, one run against two would lose by that alone. */
    private static double betterOfTwo(Rounds.Side side) throws IOException {
        return Math.max(side.run(), side.run());
    }

    /** Requests a second of queues that write the start of each cluster of a new image, a share each, compiled code assumed. */
    private double ourSteps(@Nullable Path backing, int blockBytes, int requests, int flushInterval, int queues)
            throws IOException {
        if (compiled.add(blockBytes)) {
            for (int i = 0; i < WARM_UPS; i++) {
                Path image = fixtures.fresh("warmup.qcow2", (long) WARM_UP_REQUESTS * CLUSTER, backing);
                steps(image, blockBytes, WARM_UP_REQUESTS, 1000, 1);
            }
        }
        Path image = fixtures.fresh("ours.qcow2", (long) requests * CLUSTER, backing);
        return steps(image, blockBytes, requests, flushInterval, queues);
    }

    private static double steps(Path image, int blockBytes, int requests, int flushInterval, int queues)
            throws IOException {
        try (Disk disk = Disk.open(image, writable())) {
            return perSecond(requests, queues, (first, end) -> {
                try (DiskQueue queue = disk.openQueue();
                        Arena arena = Arena.ofConfined()) {
                    MemorySegment buffer = arena.allocate(blockBytes, 4096).fill((byte) 1);
                    for (int i = first; i < end; i++) {
                        queue.write((long) i * CLUSTER, buffer);
                        if (flushInterval > 0 && (i + 1) % flushInterval == 0) {
                            queue.flush();
                        }
                    }
                }
            });
        } finally {
            Files.delete(image);
        }
    }

    /** Clusters a second that loops write to a new file, a share each; each cluster is read from another file before, if there is one. */
    private double bareSteps(@Nullable Path from, int clusters, int syncInterval, int threads) throws IOException {
        Path raw = Files.createFile(fixtures.folder().resolve("bare.raw"));
        try {
            return perSecond(clusters, threads, (first, end) -> bareShare(from, raw, first, end, syncInterval));
        } finally {
            Files.delete(raw);
        }
    }

    private static void bareShare(@Nullable Path from, Path to, int first, int end, int syncInterval)
            throws IOException {
        BareFile source = from == null ? null : new BareFile(from);
        BareFile file = new BareFile(to);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment buffer = arena.allocate(CLUSTER, 4096).fill((byte) 1);
            for (int i = first; i < end; i++) {
                long offset = (long) i * CLUSTER;
                if (source != null) {
                    source.read(offset, buffer);
                }
                file.write(offset, buffer);
                if (syncInterval > 0 && (i + 1) % syncInterval == 0) {
                    file.sync();
                }
            }
        } finally {
            file.close();
            if (source != null) {
                source.close();
            }
        }
    }

    private interface Share {
        void run(int first, int end) throws IOException;
    }

    /** How many a second were done of so many, each thread doing an equal share side by side. */
    private static double perSecond(int count, int threads, Share share) throws IOException {
        ExecutorService pool = Executors.newFixedThreadPool(threads);
        try {
            long start = System.nanoTime();
            List<Future<?>> shares = new ArrayList<>();
            for (int i = 0; i < threads; i++) {
                int first = (int) ((long) count * i / threads);
                int end = (int) ((long) count * (i + 1) / threads);
                shares.add(pool.submit(() -> {
                    share.run(first, end);
                    return null;
                }));
            }
            for (Future<?> each : shares) {
                each.get();
            }
            return count / ((System.nanoTime() - start) / 1e9);
        } catch (ExecutionException e) {
            throw new IOException(e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        } finally {
            pool.shutdown();
        }
    }

    private double theirSteps(@Nullable Path backing, int blockBytes, int requests, int flushInterval)
            throws IOException {
        double best = 0;
        for (String aio : List.of("threads", "io_uring")) {
            Path image = fixtures.fresh("theirs.qcow2", (long) requests * CLUSTER, backing);
            List<String> more = new ArrayList<>(List.of("-w", "--pattern=1"));
            if (flushInterval > 0) {
                more.add("--flush-interval=" + flushInterval);
            }
            best = Math.max(best, PeerRates.qemuImgBench(image, aio, requests, blockBytes, CLUSTER, more));
            Files.delete(image);
        }
        return best;
    }

    List<Line> discard() throws IOException {
        long bytes = 4 * GIB;
        return List.of(rounds.line(
                "discard of 4 GiB allocated, then flush",
                "qemu-io discard, whole process",
                1.0,
                "GiB/s",
                () -> ourDiscard(bytes),
                () -> theirDiscard(bytes)));
    }

    private double ourDiscard(long bytes) throws IOException {
        Path image = fixtures.freshAllocated("ours.qcow2", bytes);
        long start = System.nanoTime();
        try (Disk disk = Disk.open(image, writable());
                DiskQueue queue = disk.openQueue()) {
            for (long at = 0; at < bytes; at += GIB) {
                queue.discard(at, GIB);
            }
            queue.flush();
        }
        double rate = (bytes / (double) GIB) / ((System.nanoTime() - start) / 1e9);
        Files.delete(image);
        return rate;
    }

    private double theirDiscard(long bytes) throws IOException {
        Path image = fixtures.freshAllocated("theirs.qcow2", bytes);
        List<String> command =
                new ArrayList<>(List.of(Processes.qemu10("qemu-io").toString(), "-f", "qcow2"));
        command.addAll(List.of("-d", "unmap"));
        for (long at = 0; at < bytes; at += GIB) {
            command.addAll(List.of("-c", "discard " + at + " 1G"));
        }
        command.addAll(List.of("-c", "flush", image.toString()));
        double rate = (bytes / (double) GIB) / Processes.seconds(command.toArray(String[]::new));
        Files.delete(image);
        return rate;
    }

    static DiskOptions writable() {
        return DiskOptions.defaults().withWritable(true);
    }
}
