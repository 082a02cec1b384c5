package dev.cowherd.proof;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.check.CheckListener;
import dev.cowherd.check.CheckOptions;
import dev.cowherd.check.CheckReport;
import dev.cowherd.check.ImageCheck;
import dev.cowherd.image.DetectZeroes;
import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.DiskQueue;
import dev.cowherd.image.Engine;
import dev.cowherd.storage.CacheMode;
import dev.cowherd.storage.FileOptions;
import dev.cowherd.storage.FileStorage;
import dev.cowherd.storage.Storage;
import dev.cowherd.testkit.QemuImg;
import dev.cowherd.testkit.Ran;
import dev.cowherd.testkit.lab.ModelDisk;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** One to eight queues of drawn requests on real files: the model, our check and QEMU find nothing wrong. */
class ModelRandomTest {
    private static final int OPERATIONS = Lab.count(2_000, 10_000);
    private static final int SEEDS = Lab.count(200, 20_000);
    private static final List<Shape> SHAPES = Lab.isLong() ? Shape.crossed() : Shape.pairwise();
    private static final Progress PROGRESS = new Progress(ModelRandomTest.class, "seeds", SEEDS);
    /** The shapes are as many tests, so that a failure says which one it is. */
    @TempDir
    Path folder;

    static IntStream shapes() {
        return IntStream.range(0, SHAPES.size());
    }

    @ParameterizedTest
    @MethodSource("shapes")
    void whatQueuesLeaveIsWhatTheModelAllowsAndCheckAndQemuAgree(int index) throws Exception {
        for (int run = index; run < SEEDS; run += SHAPES.size()) {
            Shape shape = SHAPES.get(index);
            long seed = Lab.seed() + run;
            int turn = run / SHAPES.size();
            int queues = 1 << turn % 4;
            // Each shape has runs on both engines, and so have each number of queues and each kind of seed.
            List<Engine> engines = Lab.isLong() ? Guests.ENGINES : List.of(Guests.engineOf(index + turn / 2));
            for (Engine engine : engines) {
                try {
                    play(engine, shape, seed, queues);
                } catch (Exception | AssertionError e) {
                    throw new AssertionError(
                            shape + ", " + engine + ", " + queues + " queues, seed " + seed + " (-Dcowherd.seed="
                                    + (seed - run) + "): " + e,
                            e);
                }
            }
            PROGRESS.add(1);
        }
    }

    private void play(Engine engine, Shape shape, long seed, int queues) throws Exception {
        Template template = Template.of(shape);
        for (Path file : template.files) {
            Files.copy(file, folder.resolve(file.getFileName()), StandardCopyOption.REPLACE_EXISTING);
        }
        Path image = folder.resolve(template.top.getFileName());
        if (template.data != null) {
            QemuImg.v10()
                    .run("amend", "-f", "qcow2", "-o", "data_file=" + folder.resolve("top.data"), image.toString())
                    .orFail();
        }
        ModelDisk model = ModelDisk.ofZeros(shape.sizeBytes());
        template.tell(model);
        // Half of the runs work with a cache of two slices, so that tables come and go.
        DiskOptions options = DiskOptions.defaults()
                .withWritable(true)
                .withCacheMode(CacheMode.UNSAFE)
                .withSliceCacheBytes(seed % 2 == 0 ? DiskOptions.DEFAULT_SLICE_CACHE_BYTES : 8192)
                .withDetectZeroes(List.of(DetectZeroes.values()).get((int) Math.floorMod(seed, 3L)))
                .withPunchHoles(seed % 5 != 0);
        try (Disk disk = Disk.open(image, Guests.byRing(options))) {
            load(engine, disk, model, shape, seed, queues);
        }
        MemorySegment all = contents(image);
        model.beginRead(0).saw(all);
        judge(image, all);
        if (seed % 2 == 0) {
            andBack(image, shape, model, seed);
        }
    }

    /** QEMU goes on with the image, and we read what both have written. */
    private void andBack(Path image, Shape shape, ModelDisk model, long seed) throws IOException {
        SplittableRandom random = new SplittableRandom(seed);
        List<String> commands = new ArrayList<>();
        for (int i = 0; i < 6; i++) {
            long offset = random.nextLong(shape.sizeBytes() / 512) * 512;
            long length =
                    Math.min((1 + random.nextLong(3L * shape.clusterBytes() / 512)) * 512, shape.sizeBytes() - offset);
            if (i % 3 == 2) {
                model.beginZeroes(offset, length).done();
                commands.add("write -z -u " + offset + " " + length);
            } else {
                MemorySegment bytes = MemorySegment.ofArray(new byte[Math.toIntExact(length)]);
                model.beginWrite(offset, bytes).done();
                Path content = folder.resolve("qemu-writes-" + i);
                Files.write(content, bytes.toArray(ValueLayout.JAVA_BYTE));
                commands.add("write -s " + content + " " + offset + " " + length);
            }
        }
        QemuImg.v10().io(image, commands);
        model.beginRead(0).saw(contents(image));
    }

    private static void load(Engine engine, Disk disk, ModelDisk model, Shape shape, long seed, int queues)
            throws Exception {
        // Requests are as large as clusters: of the largest there are fewer, and fewer at once.
        boolean large = shape.clusterBits() == 21;
        int operations = (large ? OPERATIONS / 20 : OPERATIONS) / queues;
        try (ExecutorService threads = Executors.newFixedThreadPool(queues)) {
            List<Future<Void>> loads = new ArrayList<>();
            for (int q = 0; q < queues; q++) {
                long mine = seed * 64 + q;
                if (engine == Engine.SYNC) {
                    loads.add(threads.submit(new GuestLoad(disk.openQueue(), model, shape, mine, operations, false)));
                } else {
                    int guests = large ? 2 : 2 << seed % 4;
                    loads.add(threads.submit(
                            new RequestLoad(disk, DrawnScript.several(guests, model, shape, mine, operations, false))));
                }
            }
            for (Future<Void> one : loads) {
                one.get();
            }
        }
    }

    static MemorySegment contents(Path image) throws IOException {
        try (Disk disk = Disk.open(image, DiskOptions.defaults());
                DiskQueue queue = disk.openQueue()) {
            MemorySegment all = Arena.ofAuto().allocate(disk.sizeBytes());
            queue.read(0, all);
            return all;
        }
    }

    /** Our check, QEMU's, and QEMU's comparison with what we have read. */
    static void judge(Path image, MemorySegment contents) throws IOException {
        List<String> lines = new ArrayList<>();
        try (Storage file = FileStorage.open(image, FileOptions.reading())) {
            CheckReport report = ImageCheck.run(file, CheckOptions.defaults(), new CheckListener() {
                @Override
                public void found(String line) {
                    lines.add(line);
                }

                @Override
                public void progress(double fraction) {}
            });
            assertThat(report.isClean()).as("our check: %s", lines).isTrue();
        }
        QemuImg qemu = QemuImg.v10();
        Ran checked = qemu.run("check", "-f", "qcow2", image.toString());
        assertThat(checked.exit())
                .as("qemu-img check: %s%s", checked.out(), checked.err())
                .isZero();
        Path twin = image.resolveSibling("twin.raw");
        Files.write(twin, contents.toArray(ValueLayout.JAVA_BYTE));
        Ran compared = qemu.run("compare", "-f", "qcow2", "-F", "raw", image.toString(), twin.toString());
        assertThat(compared.exit())
                .as("qemu-img compare with the raw twin: %s%s", compared.out(), compared.err())
                .isZero();
    }
}
