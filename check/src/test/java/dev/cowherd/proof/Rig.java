package dev.cowherd.proof;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.check.CheckListener;
import dev.cowherd.check.CheckOptions;
import dev.cowherd.check.CheckReport;
import dev.cowherd.check.ImageCheck;
import dev.cowherd.check.ImageRepair;
import dev.cowherd.check.RepairMode;
import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.DiskQueue;
import dev.cowherd.storage.MemoryStorage;
import dev.cowherd.storage.Storage;
import dev.cowherd.testkit.lab.CrashState;
import dev.cowherd.testkit.lab.ModelDisk;
import dev.cowherd.testkit.lab.Power;
import dev.cowherd.testkit.lab.SimStorage;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/** An image of some shape on simulated disks, with the model of what it holds. */
final class Rig {
    private static final Map<Path, MemoryStorage> BASES = new ConcurrentHashMap<>();

    final Template template;
    final Power power;
    final SimStorage top;
    final @Nullable SimStorage data;
    final ModelDisk model;

    private Rig(Template template, Power power, SimStorage top, @Nullable SimStorage data, ModelDisk model) {
        this.template = template;
        this.power = power;
        this.top = top;
        this.data = data;
        this.model = model;
    }

    /** A fresh copy of a shape's image; its model keeps history for power cuts. */
    static Rig of(Shape shape) throws IOException {
        return of(shape, 0);
    }

    /** The same, the model with so many bytes more for a disk that grows. */
    static Rig of(Shape shape, long room) throws IOException {
        return of(shape, Template.of(shape).top, room);
    }

    /** The same of another image, with the same contents, beside the shape's own one. */
    static Rig of(Shape shape, Path image, long room) throws IOException {
        Template template = Template.of(shape);
        Power power = new Power();
        SimStorage top = load(image, power);
        SimStorage data = template.data == null ? null : load(template.data, power);
        ModelDisk model = ModelDisk.ofZeros(shape.sizeBytes() + room, power);
        template.tell(model);
        return new Rig(template, power, top, data, model);
    }

    private static SimStorage load(Path file, Power power) throws IOException {
        return SimStorage.holding(file.toString(), MemorySegment.ofArray(Files.readAllBytes(file)), power);
    }

    /** The same image after a power cut; the model is still that of before. */
    Rig after(CrashState state) {
        SimStorage disk = state.disks().get(0);
        return new Rig(
                template,
                disk.power(),
                disk,
                state.disks().size() > 1 ? state.disks().get(1) : null,
                model);
    }

    long sizeBytes() {
        return template.shape.sizeBytes();
    }

    /** Opens the disk; every file but the image's own ones comes from memory. Its request queues are the ring's. */
    Disk open(DiskOptions options, UnaryOperator<Storage> filter) throws IOException {
        return Disk.open(filter.apply(top.reopen()), Guests.byRing(options).withStorageFilter(opened -> {
            try {
                try (opened) {
                    return substitute(Path.of(opened.name()), filter);
                }
            } catch (IOException e) {
                throw new java.io.UncheckedIOException(e);
            }
        }));
    }

    private Storage substitute(Path file, UnaryOperator<Storage> filter) throws IOException {
        if (data != null && file.endsWith("top.data")) {
            return filter.apply(data.reopen());
        }
        return BASES.computeIfAbsent(file, Rig::inMemory).reopen();
    }

    private static MemoryStorage inMemory(Path file) {
        try {
            MemoryStorage memory = new MemoryStorage(file.toString());
            memory.write(
                    0,
                    Arena.ofAuto()
                            .allocate(Files.size(file))
                            .copyFrom(MemorySegment.ofArray(Files.readAllBytes(file))));
            return memory;
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    Disk openReading() throws IOException {
        return open(DiskOptions.defaults(), UnaryOperator.identity());
    }

    /** All that the guest reads. */
    MemorySegment contents() throws IOException {
        return contents(DiskOptions.defaults());
    }

    /** All that a snapshot holds. */
    MemorySegment contentsOf(String snapshot) throws IOException {
        return contents(DiskOptions.defaults().withSnapshot(snapshot));
    }

    private MemorySegment contents(DiskOptions options) throws IOException {
        try (Disk disk = open(options, UnaryOperator.identity());
                DiskQueue queue = disk.openQueue()) {
            MemorySegment all = Arena.ofAuto().allocate(disk.sizeBytes());
            queue.read(0, all);
            return all;
        }
    }

    /** Our own check; fails on anything worse than leaks. */
    CheckReport assertAtMostLeaks() throws IOException {
        List<String> lines = new ArrayList<>();
        CheckReport report = ImageCheck.run(top, new CheckOptions(1, 64 << 20), new CheckListener() {
            @Override
            public void found(String line) {
                lines.add(line);
            }

            @Override
            public void progress(double fraction) {}
        });
        assertThat(report.corruptions() + report.checkErrors())
                .as("%s: the check says %s", template.shape, lines)
                .isZero();
        return report;
    }

    /** All that the guest reads; a raw data file has to hold the same. */
    MemorySegment contentsForAll() throws IOException {
        MemorySegment guest = contents();
        if (data != null && template.shape.data() == Shape.Data.RAW_FILE) {
            MemorySegment raw = Arena.ofAuto().allocate(guest.byteSize());
            data.read(0, raw.asSlice(0, Math.min(raw.byteSize(), data.sizeBytes())));
            assertThat(raw.mismatch(guest))
                    .as("first byte of the data file that is not the guest's")
                    .isEqualTo(-1);
        }
        return guest;
    }

    /** Goes on after a power cut: repairs the leaks, writes, and is still right. */
    void assertCanGoOn(long seed) throws IOException {
        MemorySegment before = contents();
        ImageRepair.run(top, RepairMode.LEAKS, new CheckOptions(1, 64 << 20), CheckListener.SILENT);
        assertThat(assertAtMostLeaks().leaks())
                .as("leaks after the repair of leaks")
                .isZero();
        assertThat(contents().mismatch(before))
                .as("repair of leaks changes no byte")
                .isEqualTo(-1);
        ModelDisk fresh = ModelDisk.ofZeros(before.byteSize(), top.power());
        fresh.beginRestore(before).done();
        try (Disk disk = open(DiskOptions.defaults().withWritable(true), UnaryOperator.identity())) {
            new GuestLoad(disk.openQueue(), fresh, template.shape, seed, 12, false).call();
        }
        // Refcounts past the file's end, of clusters whose bytes the cut took, are not seen by a check until the file
        // has grown.
        assertAtMostLeaks();
        fresh.beginRead(0).saw(contents());
    }

    /** The whole disk as it is now against the model, by a read that nothing overlaps. */
    void assertHoldsWhatTheModelAllows() throws IOException {
        ModelDisk.Read read = model.beginRead(0);
        read.saw(contents());
    }
}
