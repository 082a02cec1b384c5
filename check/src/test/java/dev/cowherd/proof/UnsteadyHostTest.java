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
import dev.cowherd.storage.CacheMode;
import dev.cowherd.storage.FileOptions;
import dev.cowherd.storage.FileStorage;
import dev.cowherd.storage.LockMode;
import dev.cowherd.storage.Storage;
import dev.cowherd.storage.UnsteadyKernel;
import dev.cowherd.storage.UnsteadyKernel.Trouble;
import dev.cowherd.testkit.QemuImg;
import dev.cowherd.testkit.lab.ModelDisk;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The engine on real files, and a kernel under them that interrupts the k-th call or moves a part of its bytes, for every k there is:
 * no guest notices, and no byte is lost. A full disk in the middle of a write is noticed by that request only.
 */
class UnsteadyHostTest {
    private static final List<Shape> SHAPES = List.of(
            Shape.plain(9).withSnapshot(),
            Shape.plain(12).over(Shape.Below.SHORT),
            Shape.plain(12).packed(Shape.Packing.ZLIB),
            Shape.plain(12).withData(Shape.Data.FILE),
            Shape.plain(16).withExtended().over(Shape.Below.RAW));

    @TempDir
    Path folder;

    private byte[] withDataFile = {};

    @ParameterizedTest
    @EnumSource(names = {"SYNC", "RING"})
    void interruptedCallsAreInvisible(Engine engine) throws Exception {
        Set<String> hit = eachCallOnce(engine, Trouble.INTERRUPTED);
        assertThat(hit).contains("pread", "pwrite", "pwritev", "fallocate", "fdatasync");
        // A resize makes system calls, whatever the engine. It makes one such call, and how many a ring has made before
        // it varies: there it
        // may be missed.
        if (engine == Engine.SYNC) {
            assertThat(hit).contains("ftruncate");
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"SYNC", "RING"})
    void shortTransfersAreInvisible(Engine engine) throws Exception {
        assertThat(eachCallOnce(engine, Trouble.SHORT)).contains("pread", "pwrite", "pwritev");
    }

    @ParameterizedTest
    @EnumSource(names = {"SYNC", "RING"})
    void aDiskThatIsFullInTheMiddleOfAWriteFailsThatRequestOnly(Engine engine) throws Exception {
        assertThat(eachCallOnce(engine, Trouble.SHORT_THEN_FULL)).contains("pwrite", "pwritev");
    }

    @ParameterizedTest
    @EnumSource(names = {"SYNC", "RING"})
    void aHostThatNeverDoesACallAtOnceIsInvisible(Engine engine) throws Exception {
        for (Trouble trouble : List.of(Trouble.INTERRUPTED, Trouble.SHORT)) {
            for (Shape shape : SHAPES) {
                for (int k = 1; k < 12; k += 5) {
                    play(engine, 1, shape, new UnsteadyKernel(trouble, k, false, 1), CacheMode.WRITEBACK, k);
                    // Guests at once: nobody could keep a sector whole on a host that never takes all of one.
                    play(engine, shape, new UnsteadyKernel(trouble, k, false, 512), CacheMode.WRITEBACK, k);
                }
            }
        }
    }

    /** Under O_DIRECT a short transfer is carried on at a whole block. */
    @ParameterizedTest
    @EnumSource(names = {"SYNC", "RING"})
    void directTransfersThatAreInterruptedOrShortAreInvisible(Engine engine) throws Exception {
        Set<String> hit = new TreeSet<>();
        for (Trouble trouble : List.of(Trouble.INTERRUPTED, Trouble.SHORT)) {
            for (int k = 1; k < 60; k += 3) {
                UnsteadyKernel kernel = new UnsteadyKernel(trouble, k, k % 2 == 0, 4096);
                play(engine, Shape.plain(16).withSnapshot(), kernel, CacheMode.NONE, k);
                hit.addAll(kernel.hit());
            }
        }
        assertThat(hit).contains("pread", "pwrite");
    }

    /** Answers which calls met with trouble. */
    private Set<String> eachCallOnce(Engine engine, Trouble trouble) throws Exception {
        Set<String> hit = new TreeSet<>();
        for (Shape shape : SHAPES) {
            int k = 0;
            // How many calls there are varies a little with the order in which a ring completes them.
            int past = engine == Engine.RING ? 8 : 1;
            for (int misses = 0; misses < past; ) {
                k++;
                UnsteadyKernel kernel = new UnsteadyKernel(trouble, k, true, 1);
                play(engine, shape, kernel, CacheMode.WRITEBACK, k);
                hit.addAll(kernel.hit());
                misses = kernel.hit().isEmpty() ? misses + 1 : 0;
            }
            assertThat(k).as("calls in turn on %s", shape).isGreaterThan(5);
        }
        return hit;
    }

    /** By the ring engine three guests share the requests. */
    private void play(Engine engine, Shape shape, UnsteadyKernel kernel, CacheMode mode, int k) throws Exception {
        play(engine, engine == Engine.RING ? 3 : 1, shape, kernel, mode, k);
    }

    private void play(Engine engine, int guests, Shape shape, UnsteadyKernel kernel, CacheMode mode, int k)
            throws Exception {
        boolean full = false;
        try {
            Template template = Template.of(shape);
            Path top = copy(template.top);
            if (template.base != null) {
                copy(template.base);
            }
            if (template.data != null) {
                Path data = copy(template.data);
                Files.write(top, namingDataFile(top, data));
            }
            ModelDisk model = ModelDisk.ofZeros(shape.sizeBytes());
            template.tell(model);
            FileOptions writing = FileOptions.writing().withCacheMode(mode).withLock(LockMode.NONE);
            DiskOptions options = DiskOptions.defaults()
                    .withWritable(true)
                    .withSliceCacheBytes(8192)
                    .withStorageFilter(opened -> onKernel(opened, kernel, writing));
            List<Script> scripts = DrawnScript.several(guests, model, shape, 20261122, 30, true);
            List<IOException> failures = new ArrayList<>();
            try (Disk disk = Disk.open(kernel.open(top, writing), Guests.byRing(options));
                    DiskQueue queue = disk.openQueue()) {
                kernel.arm();
                if (engine == Engine.RING) {
                    new RequestLoad(disk, scripts).call();
                } else {
                    new GuestLoad(queue, scripts.getFirst()).call();
                }
                scripts.forEach(script -> failures.addAll(script.failures()));
                if (!kernel.isFatal()) {
                    disk.resize(shape.sizeBytes() + 4L * shape.clusterBytes());
                    queue.flush();
                }
                full = !failures.isEmpty();
                kernel.calm();
            }
            assertThat(full)
                    .as("failures %s; trouble at %s", failures, kernel.hit())
                    .isEqualTo(!kernel.hit().isEmpty() && kernel.isFatal());
            assertHolds(top, shape.sizeBytes(), model);
        } catch (Exception | AssertionError e) {
            throw new AssertionError(shape + ", " + kernel + ", k = " + k + ": " + e, e);
        }
    }

    /** The image's bytes with the data file beside it; QEMU is asked once. */
    private byte[] namingDataFile(Path top, Path data) throws IOException {
        byte[] bytes = withDataFile;
        if (bytes.length == 0) {
            QemuImg.v10()
                    .run("amend", "-f", "qcow2", "-o", "data_file=" + data, top.toString())
                    .orFail();
            bytes = Files.readAllBytes(top);
            withDataFile = bytes;
        }
        return bytes;
    }

    private Path copy(Path file) throws IOException {
        return Files.copy(file, folder.resolve(file.getFileName()), StandardCopyOption.REPLACE_EXISTING);
    }

    /** The same file through the kernel that is played. */
    private static Storage onKernel(Storage opened, UnsteadyKernel kernel, FileOptions writing) {
        try (opened) {
            Path file = Path.of(opened.name());
            return kernel.open(file, file.endsWith("top.data") ? writing : FileOptions.reading());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void assertHolds(Path top, long sizeBytes, ModelDisk model) throws IOException {
        try (Storage file = FileStorage.open(top, FileOptions.reading())) {
            CheckReport report = ImageCheck.run(file, CheckOptions.defaults(), CheckListener.SILENT);
            assertThat(report.isClean()).as("the check of the image").isTrue();
        }
        try (Disk disk = Disk.open(top, DiskOptions.defaults());
                DiskQueue queue = disk.openQueue()) {
            MemorySegment all = Arena.ofAuto().allocate(sizeBytes);
            queue.read(0, all);
            model.beginRead(0).saw(all);
        }
    }
}
