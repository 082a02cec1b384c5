package dev.cowherd.proof;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.check.CheckListener;
import dev.cowherd.check.CheckOptions;
import dev.cowherd.check.CheckReport;
import dev.cowherd.check.ImageCheck;
import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.DiskQueue;
import dev.cowherd.image.Engine;
import dev.cowherd.image.Request;
import dev.cowherd.image.RequestQueue;
import dev.cowherd.image.ZeroMode;
import dev.cowherd.storage.FileOptions;
import dev.cowherd.storage.FileStorage;
import dev.cowherd.storage.Storage;
import dev.cowherd.testkit.Peers;
import dev.cowherd.testkit.Processes;
import dev.cowherd.testkit.QemuImg;
import dev.cowherd.testkit.RunningPeer;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The same requests through us and through QEMU 10 leave the same persistent bitmaps, as QEMU reads them. */
class BitmapsAgainstQemuTest {
    private static final List<Bitmap> BITMAPS =
            List.of(new Bitmap("coarse", 17, true), new Bitmap("fine", 9, true), new Bitmap("still", 12, false));
    private static final DiskOptions WRITABLE =
            DiskOptions.defaults().withWritable(true).withEngine(Engine.RING);
    private static final int IN_FLIGHT = 8;

    @TempDir
    Path folder;

    /** A bitmap that QEMU makes. */
    private record Bitmap(String name, int granularityBits, boolean enabled) {}

    /** An image that QEMU makes. */
    record Layout(String options, long sizeBytes, boolean externalData, int queues, Engine engine) {}

    /** A request, for either engine. */
    private record Change(String command, long offset, long length) {
        String forQemu() {
            return command + " " + offset + " " + length;
        }

        Request request(long token) {
            return switch (command) {
                case "write" ->
                    new Request.Write(
                            token, offset, Arena.ofAuto().allocate(length, 512).fill((byte) 0xcd));
                case "write -z" -> new Request.WriteZeroes(token, offset, length, ZeroMode.KEEP_ALLOCATED);
                case "write -zu" -> new Request.WriteZeroes(token, offset, length, ZeroMode.MAY_UNMAP);
                case "discard" -> new Request.Discard(token, offset, length);
                default -> throw new IllegalArgumentException(command);
            };
        }
    }

    private static List<Layout> layouts(Engine engine) {
        return List.of(
                new Layout("cluster_size=64k", 64 << 20, false, 1, engine),
                new Layout("cluster_size=64k,extended_l2=on", (40 << 20) + 512, false, 4, engine),
                new Layout("cluster_size=512", (3 << 20) + 1536, false, 4, engine),
                new Layout("cluster_size=4k,refcount_bits=1", 8 << 20, false, 4, engine),
                new Layout("cluster_size=2M", 300 << 20, false, 1, engine),
                new Layout("cluster_size=64k", 16 << 20, true, 4, engine));
    }

    /** Every layout by each engine; in a normal run they take turns, from one of them on. */
    private static Stream<Layout> layoutsFrom(int first) {
        int engines = Guests.ENGINES.size();
        return IntStream.range(0, engines * layouts(Engine.SYNC).size())
                .filter(i -> Lab.isLong() || i % engines == (i / engines + first) % engines)
                .mapToObj(i -> layouts(Guests.engineOf(i)).get(i / engines));
    }

    static Stream<Layout> layouts() {
        return layoutsFrom(0);
    }

    /** What the other engine plays: so that each layout is played by both in the two cases. */
    static Stream<Layout> layoutsOfTheOther() {
        return layoutsFrom(1);
    }

    @ParameterizedTest
    @MethodSource("layouts")
    void theSameRequestsLeaveTheSameBitmaps(Layout layout) {
        Lab.part(layout.toString(), () -> sameRequests(layout, Lab.seed()));
    }

    private void sameRequests(Layout layout, long seed) throws Exception {
        Path ours = make(layout, "ours");
        Path theirs = make(layout, "theirs");
        List<Change> changes = draw(layout.sizeBytes, seed, 60);
        for (int round = 0; round < 2; round++) {
            List<Change> now = changes.subList(round * 30, round * 30 + 30);
            write(ours, now, layout);
            qemuWrites(theirs, now);
        }
        assertSame(ours, theirs);
        assertClean(ours);
        for (Bitmap bitmap : BITMAPS) {
            BitSet expected = new BitSet();
            if (bitmap.enabled) {
                before(layout.sizeBytes).forEach(change -> mark(expected, change, bitmap));
                changes.forEach(change -> mark(expected, change, bitmap));
            }
            assertThat(dirty(ours, bitmap)).as(bitmap.name).isEqualTo(expected);
        }
    }

    @ParameterizedTest
    @MethodSource("layoutsOfTheOther")
    void anotherSizeOfTheDiskLeavesTheSameBitmaps(Layout layout) {
        Lab.part(layout.toString(), () -> otherSizes(layout, Lab.seed() + 500));
    }

    private void otherSizes(Layout layout, long firstSeed) throws Exception {
        Path ours = make(layout, "ours");
        Path theirs = make(layout, "theirs");
        long size = layout.sizeBytes;
        long[] sizes = {size + (5 << 20) + 512, size / 1024 * 512 + 512, size / 1024 * 512 + (2 << 20)};
        long seed = firstSeed;
        for (long wanted : sizes) {
            try (Disk disk = Disk.open(ours, WRITABLE)) {
                disk.resize(wanted);
            }
            QemuImg.v10()
                    .run("resize", "-q", "-f", "qcow2", "--shrink", theirs.toString(), Long.toString(wanted))
                    .orFail();
            assertSame(ours, theirs);
            List<Change> changes = draw(wanted, seed++, 10);
            write(ours, changes, layout);
            qemuWrites(theirs, changes);
        }
        assertSame(ours, theirs);
        assertClean(ours);
    }

    private static List<Change> before(long sizeBytes) {
        return List.of(
                new Change("write", 0, 1 << 20),
                new Change("write", sizeBytes / 2 / 512 * 512, 4096),
                new Change("write", sizeBytes - 512, 512));
    }

    /** The image, twice the same: data and dirty granules at the start. */
    private Path make(Layout layout, String name) throws IOException {
        Path place = Files.createDirectories(folder.resolve(name));
        Path image = place.resolve("image.qcow2");
        QemuImg qemu = QemuImg.v10();
        String options = layout.options + (layout.externalData ? ",data_file=" + place.resolve("image.data") : "");
        qemu.create(image, Long.toString(layout.sizeBytes), "-o", options);
        for (Bitmap bitmap : BITMAPS) {
            List<String> arguments = new ArrayList<>(List.of("bitmap", "--add", "-f", "qcow2"));
            arguments.addAll(List.of("-g", Integer.toString(1 << bitmap.granularityBits)));
            if (!bitmap.enabled) {
                arguments.add("--disable");
            }
            arguments.addAll(List.of(image.toString(), bitmap.name));
            qemu.run(arguments).orFail();
        }
        qemuWrites(image, before(layout.sizeBytes));
        return image;
    }

    private static List<Change> draw(long sizeBytes, long seed, int count) {
        SplittableRandom random = new SplittableRandom(seed);
        List<Change> changes = new ArrayList<>();
        String[] commands = {"write", "write", "write", "write -z", "write -zu", "discard"};
        for (int i = 0; i < count; i++) {
            long offset = random.nextLong(sizeBytes / 512) * 512;
            long length = 512L << random.nextInt(random.nextInt(4) == 0 ? 12 : 6);
            changes.add(new Change(
                    commands[random.nextInt(commands.length)], offset, Math.min(length, sizeBytes - offset)));
        }
        return changes;
    }

    private static void qemuWrites(Path image, List<Change> changes) {
        QemuImg.v10()
                .ioOn(
                        List.of("-f", "qcow2", "-d", "unmap"),
                        image,
                        changes.stream().map(Change::forQemu).toList());
    }

    private static void write(Path image, List<Change> changes, Layout layout) throws Exception {
        int queues = layout.queues;
        try (Disk disk = Disk.open(image, WRITABLE);
                ExecutorService threads = Executors.newFixedThreadPool(queues)) {
            List<Future<Void>> running = new ArrayList<>();
            for (int q = 0; q < queues; q++) {
                List<Change> mine = new ArrayList<>();
                for (int i = q; i < changes.size(); i += queues) {
                    mine.add(changes.get(i));
                }
                running.add(threads.submit(() -> {
                    if (layout.engine == Engine.RING) {
                        writeSideBySide(disk, mine);
                    } else {
                        writeInTurn(disk, mine);
                    }
                    return null;
                }));
            }
            for (Future<Void> one : running) {
                one.get();
            }
        }
    }

    private static void writeInTurn(Disk disk, List<Change> changes) throws IOException {
        try (DiskQueue queue = disk.openQueue()) {
            for (Change change : changes) {
                Guest.perform(queue, change.request(0));
            }
        }
    }

    private static void writeSideBySide(Disk disk, List<Change> changes) throws IOException {
        RequestQueue.Handler handler =
                (token, failure) -> assertThat(failure).as("request %s", token).isNull();
        try (RequestQueue queue = disk.openRequestQueue(IN_FLIGHT)) {
            for (int i = 0; i < changes.size(); i++) {
                queue.submit(changes.get(i).request(i));
                queue.await(queue.inFlight() < IN_FLIGHT ? 0 : 1, handler);
            }
            queue.await(queue.inFlight(), handler);
        }
    }

    private static void mark(BitSet granules, Change change, Bitmap bitmap) {
        granules.set(
                (int) (change.offset >>> bitmap.granularityBits),
                (int) ((change.offset + change.length - 1) >>> bitmap.granularityBits) + 1);
    }

    private void assertSame(Path ours, Path theirs) throws IOException {
        assertThat(bitmapsOf(ours)).as("what qemu-img info says").isEqualTo(bitmapsOf(theirs));
        for (Bitmap bitmap : BITMAPS) {
            assertThat(dirty(ours, bitmap)).as(bitmap.name).isEqualTo(dirty(theirs, bitmap));
        }
    }

    private static String bitmapsOf(Path image) {
        String info = QemuImg.v10()
                .run("info", "--output=json", image.toString())
                .orFail()
                .out();
        int start = info.indexOf("\"bitmaps\"");
        assertThat(start).as("bitmaps in %s", info).isPositive();
        return info.substring(start, info.indexOf("],", info.lastIndexOf("\"granularity\"")));
    }

    private static void assertClean(Path image) throws IOException {
        QemuImg.v10().run("check", "-f", "qcow2", image.toString()).orFail();
        try (Storage file = FileStorage.open(image, FileOptions.reading())) {
            CheckReport report = ImageCheck.run(file, new CheckOptions(1, 64 << 20), CheckListener.SILENT);
            assertThat(report.corruptions() + report.checkErrors() + report.leaks())
                    .isZero();
        }
    }

    /** The granules that QEMU's server calls dirty. */
    private BitSet dirty(Path image, Bitmap bitmap) throws IOException {
        Path socket = folder.resolve("nbd");
        Files.deleteIfExists(socket);
        try (RunningPeer server = RunningPeer.start(List.of(
                Peers.qemu10("qemu-nbd").toString(),
                "-r",
                "-f",
                "qcow2",
                "-B",
                bitmap.name,
                "-k",
                socket.toString(),
                image.toString()))) {
            server.awaitFile(socket);
            String map = Processes.run(
                            Peers.system("nbdinfo").toString(),
                            "--map=qemu:dirty-bitmap:" + bitmap.name,
                            "nbd+unix:///?socket=" + socket)
                    .orFail()
                    .out();
            BitSet granules = new BitSet();
            for (String line : map.lines().toList()) {
                String[] words = line.trim().split("\\s+", -1);
                long offset = Long.parseLong(words[0]);
                long length = Long.parseLong(words[1]);
                if (words[2].equals("1")) {
                    granules.set(
                            (int) (offset >>> bitmap.granularityBits),
                            (int) ((offset + length - 1) >>> bitmap.granularityBits) + 1);
                }
            }
            return granules;
        }
    }
}
