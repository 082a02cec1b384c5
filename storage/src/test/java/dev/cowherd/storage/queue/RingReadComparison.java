package dev.cowherd.storage.queue;

import dev.cowherd.storage.CacheMode;
import dev.cowherd.storage.FileOptions;
import dev.cowherd.storage.FileStorage;
import dev.cowherd.storage.LockMode;
import dev.cowherd.storage.Storage;
import dev.cowherd.storage.ring.Completions;
import dev.cowherd.storage.ring.FileRequests;
import dev.cowherd.storage.ring.Ring;
import dev.cowherd.storage.ring.RingDescriptor;
import dev.cowherd.storage.ring.RingOptions;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Compares random reads of 4 KiB at depth 32 of one raw file: blocking, over a bare ring, over a queue, and by fio. Not a test; run
 * its main method on an idle machine. The ways take turns, fio in a process of its own. The medians of the rounds count: reads a second,
 * and the CPU time of a read, which says more where the machine has other work.
 */
final class RingReadComparison {
    private static final int DEPTH = 32;
    private static final int SIZE = 4096;
    private static final int ROUNDS = Integer.getInteger("rounds", 9);
    private static final long ROUND_NANOS = Long.getLong("seconds", 2) * 1_000_000_000L;
    private static final long FILE_BYTES = Long.getLong("megabytes", 512) << 20;

    private RingReadComparison() {}

    /** One way to read: reads until the time is over, and says how many. */
    private interface Way {
        long run(long until) throws IOException;
    }

    public static void main(String[] args) throws Exception {
        Path path = Files.createTempFile(Path.of(args.length > 0 ? args[0] : "."), "cowherd", ".raw");
        try {
            byte[] content = new byte[1 << 20];
            new SplittableRandom(1).nextBytes(content);
            try (var out = Files.newOutputStream(path)) {
                for (long at = 0; at < FILE_BYTES; at += content.length) {
                    out.write(content);
                }
            }
            for (CacheMode mode : new CacheMode[] {CacheMode.WRITEBACK, CacheMode.NONE}) {
                compare(path, mode);
            }
        } finally {
            Files.delete(path);
        }
    }

    private static void compare(Path path, CacheMode mode) throws Exception {
        FileOptions options = FileOptions.reading().withCacheMode(mode).withLock(LockMode.NONE);
        try (Storage storage = FileStorage.open(path, options);
                Ring ring = Ring.open(RingOptions.ofEntries(64));
                HostQueue queue = HostQueue.over(ring)) {
            storage.sync();
            MemorySegment[] plain = rooms(java.lang.foreign.Arena.ofAuto().allocate((long) DEPTH * SIZE, SIZE));
            MemorySegment[] registered = rooms(ring.buffers().allocate((long) DEPTH * SIZE));
            RingDescriptor bare = RingDescriptor.of(
                    java.util.Objects.requireNonNull(storage.hostAccess()).descriptor());
            RingDescriptor slot = ring.files()
                    .register(java.util.Objects.requireNonNull(storage.hostAccess())
                            .descriptor());
            HostFile file = queue.attach(storage);
            List<String> names = new ArrayList<>();
            List<Way> ways = new ArrayList<>();
            names.add("Storage.read, one after the other");
            ways.add(until -> blocking(storage, plain, until));
            names.add("ring, nothing registered");
            ways.add(until -> new BareRing(ring, bare, plain).run(until));
            names.add("ring, registered file and buffers");
            ways.add(until -> new BareRing(ring, slot, registered).run(until));
            names.add("HostQueue, registered file and buffers");
            ways.add(until -> new Queued(queue, file, registered).run(until));
            names.add("fio io_uring, registered file and buffers");
            double[][] rates = new double[names.size()][ROUNDS];
            double[][] costs = new double[names.size()][ROUNDS];
            ThreadMXBean threads = ManagementFactory.getThreadMXBean();
            SplittableRandom order = new SplittableRandom(3);
            for (int round = 0; round < ROUNDS; round++) {
                int first = order.nextInt(ways.size());
                for (int w = 0; w < ways.size(); w++) {
                    int way = (first + w) % ways.size();
                    long start = System.nanoTime();
                    long cpu = threads.getCurrentThreadCpuTime();
                    long reads = ways.get(way).run(start + ROUND_NANOS);
                    rates[way][round] = reads * 1e9 / (System.nanoTime() - start);
                    costs[way][round] = (double) (threads.getCurrentThreadCpuTime() - cpu) / Math.max(1, reads);
                }
                double[] fio = fio(path, mode);
                rates[ways.size()][round] = fio[0];
                costs[ways.size()][round] = fio[1];
            }
            double fioRate = median(rates[ways.size()]);
            double fioCost = median(costs[ways.size()]);
            for (int w = 0; w < rates.length; w++) {
                double rate = median(rates[w]);
                double cost = median(costs[w]);
                System.out.printf(
                        "%-9s  %-42s %9.0f reads/s  %.2f   CPU %6.0f ns  %.2f%n",
                        mode, names.get(w), rate, rate / fioRate, cost, cost / fioCost);
            }
            file.detach();
        }
    }

    private static double median(double[] rates) {
        double[] sorted = rates.clone();
        Arrays.sort(sorted);
        return sorted[sorted.length / 2];
    }

    private static MemorySegment[] rooms(MemorySegment whole) {
        MemorySegment[] rooms = new MemorySegment[DEPTH];
        for (int i = 0; i < DEPTH; i++) {
            rooms[i] = whole.asSlice((long) i * SIZE, SIZE);
        }
        return rooms;
    }

    private static long place(SplittableRandom random) {
        return random.nextLong(FILE_BYTES / SIZE) * SIZE;
    }

    private static long blocking(Storage storage, MemorySegment[] rooms, long until) throws IOException {
        SplittableRandom random = new SplittableRandom(7);
        long reads = 0;
        while (System.nanoTime() < until) {
            for (int i = 0; i < DEPTH; i++) {
                reads += storage.read(place(random), rooms[i]) / SIZE;
            }
        }
        return reads;
    }

    /** Keeps the depth: each completion is followed by another read. */
    private static final class BareRing implements Completions {
        private final Ring ring;
        private final FileRequests requests;
        private final RingDescriptor file;
        private final MemorySegment[] rooms;
        private final SplittableRandom random = new SplittableRandom(7);
        private boolean over;
        private long reads;

        BareRing(Ring ring, RingDescriptor file, MemorySegment[] rooms) {
            this.ring = ring;
            this.requests = new FileRequests(ring);
            this.file = file;
            this.rooms = rooms;
        }

        long run(long until) throws IOException {
            for (int i = 0; i < DEPTH; i++) {
                requests.read(file, place(random), rooms[i], i);
            }
            while (ring.inFlight() > 0) {
                ring.submitAndWait(1, this);
                over = System.nanoTime() >= until;
            }
            return reads;
        }

        @Override
        public void completed(long token, int result, int flags) {
            try {
                reads += result / SIZE;
                if (!over) {
                    requests.read(file, place(random), rooms[(int) token], token);
                }
            } catch (IOException e) {
                throw new java.io.UncheckedIOException(e);
            }
        }
    }

    private static final class Queued implements HostCompletions {
        private final HostQueue queue;
        private final HostFile file;
        private final MemorySegment[] rooms;
        private final SplittableRandom random = new SplittableRandom(7);
        private boolean over;
        private long reads;

        Queued(HostQueue queue, HostFile file, MemorySegment[] rooms) {
            this.queue = queue;
            this.file = file;
            this.rooms = rooms;
        }

        long run(long until) throws IOException {
            for (int i = 0; i < DEPTH; i++) {
                file.read(place(random), rooms[i], i);
            }
            while (queue.inFlight() > 0) {
                queue.poll(1, this);
                over = System.nanoTime() >= until;
            }
            return reads;
        }

        @Override
        public void completed(long token, long bytes) {
            try {
                reads += bytes / SIZE;
                if (!over) {
                    file.read(place(random), rooms[(int) token], token);
                }
            } catch (IOException e) {
                throw new java.io.UncheckedIOException(e);
            }
        }

        @Override
        public void failed(long token, IOException failure) {
            throw new java.io.UncheckedIOException(failure);
        }
    }

    /** The reads a second that fio says of itself, and the nanoseconds of CPU for each. */
    private static double[] fio(Path path, CacheMode mode) throws IOException {
        Process fio = new ProcessBuilder(
                        "fio",
                        "--name=read",
                        "--filename=" + path,
                        "--rw=randread",
                        "--bs=4k",
                        "--ioengine=io_uring",
                        "--registerfiles",
                        "--fixedbufs",
                        "--iodepth=" + DEPTH,
                        "--iodepth_batch_submit=32",
                        "--iodepth_batch_complete_min=1",
                        "--iodepth_batch_complete_max=32",
                        "--direct=" + (mode.direct() ? 1 : 0),
                        "--invalidate=0",
                        "--norandommap",
                        "--randrepeat=0",
                        "--gtod_reduce=1",
                        "--thread",
                        "--time_based",
                        "--runtime=" + ROUND_NANOS / 1_000_000_000L,
                        "--output-format=json")
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        String text = new String(fio.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        double cpuPercent = number(text, "usr_cpu") + number(text, "sys_cpu");
        double iops = number(text.substring(text.indexOf("\"read\" : {")), "iops");
        return new double[] {iops, cpuPercent / 100 * 1e9 / iops};
    }

    private static double number(String json, String name) throws IOException {
        Matcher found = Pattern.compile("\"" + name + "\" : ([0-9.]+)").matcher(json);
        if (!found.find()) {
            throw new IOException("fio did not say " + name + ": " + json);
        }
        return Double.parseDouble(found.group(1));
    }
}
