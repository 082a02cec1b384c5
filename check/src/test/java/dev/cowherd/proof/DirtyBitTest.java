package dev.cowherd.proof;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowherd.check.CheckListener;
import dev.cowherd.check.CheckOptions;
import dev.cowherd.check.CheckReport;
import dev.cowherd.check.ImageCheck;
import dev.cowherd.check.ImageRepair;
import dev.cowherd.format.Header;
import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.Engine;
import dev.cowherd.testkit.Peers;
import dev.cowherd.testkit.QemuImg;
import dev.cowherd.testkit.RunningPeer;
import dev.cowherd.testkit.lab.CrashStates;
import dev.cowherd.testkit.lab.Power;
import dev.cowherd.testkit.lab.Schedules;
import dev.cowherd.testkit.lab.SimStorage;
import dev.cowherd.testkit.lab.SteppedStorage;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The rules of the dirty bit (specification: incompatible features, lazy refcounts): an image whose last writer postponed refcounts and
 * died is read as it is, written only after a repair, and says "dirty" until the repair is durable. We postpone nothing, so we never
 * set it.
 */
@EachEngine
class DirtyBitTest {
    private static final DiskOptions WRITABLE = DiskOptions.defaults().withWritable(true);
    private static final CheckOptions ONE_THREAD = new CheckOptions(1, 64 << 20);
    /** Of each engine. */
    private static final int STATES = Lab.count(300, 50_000);

    @TempDir
    Path folder;

    private final Engine engine;

    DirtyBitTest(Engine engine) {
        this.engine = engine;
    }

    private static Header header(SimStorage file) throws IOException {
        byte[] bytes = file.bytes();
        return Header.decode(ByteBuffer.wrap(bytes), bytes.length);
    }

    private static CheckReport check(SimStorage file) throws IOException {
        return ImageCheck.run(file, ONE_THREAD, CheckListener.SILENT);
    }

    /** An image that a real QEMU has written lazily until it was killed. */
    private Path killed(String options) {
        QemuImg qemu = QemuImg.v10();
        Path image = folder.resolve("killed.qcow2");
        qemu.create(image, "24M", "-o", "lazy_refcounts=on" + options);
        qemu.io(image, List.of("write -P 5 64k 300k", "write -P 6 10M 100k"));
        qemu.run("snapshot", "-c", "before", image.toString()).orFail();
        try (RunningPeer writer = RunningPeer.start(List.of(
                Peers.qemu10("qemu-io").toString(),
                "-f",
                "qcow2",
                "-c",
                "write -P 1 0 1M",
                "-c",
                "write -P 2 20M 700k",
                "-c",
                "flush",
                "-c",
                "sigraise 9",
                image.toString()))) {
            writer.awaitEnd();
        }
        return image;
    }

    private SimStorage killedInMemory(String options) throws IOException {
        Path image = killed(options);
        SimStorage file = SimStorage.holding(image.toString(), Files.readAllBytes(image));
        assertThat(header(file).isDirty()).isTrue();
        assertThat(check(file).corruptions()).isPositive();
        return file;
    }

    private byte[] contents(SimStorage file) throws Exception {
        List<byte[]> contents = new ArrayList<>();
        Stage.play(engine, stage -> {
            try (Disk disk = stage.open(file.reopen(), DiskOptions.defaults());
                    Guest guest = stage.guest(disk)) {
                MemorySegment all = Arena.ofAuto().allocate(disk.sizeBytes());
                guest.read(0, all);
                contents.add(all.toArray(ValueLayout.JAVA_BYTE));
            }
        });
        return contents.getFirst();
    }

    @Test
    void aDirtyImageIsReadAsItIsAndNotChanged() throws Exception {
        Path image = killed("");
        byte[] before = Files.readAllBytes(image);
        SimStorage file = SimStorage.holding(image.toString(), before);
        byte[] seen = contents(file);
        assertThat(seen).isEqualTo(QemuImg.v10().bytesOf(image));
        assertThat(seen[0]).isEqualTo((byte) 1);
        assertThat(file.bytes()).isEqualTo(before);
        assertThatThrownBy(() -> Disk.open(file.reopen(), WRITABLE))
                .hasMessageContaining("check -r")
                .satisfies(e -> assertThat(e.getMessage()).doesNotContain("\n"));
        assertThat(file.bytes()).isEqualTo(before);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", ",cluster_size=4k,refcount_bits=64", ",cluster_size=1M,refcount_bits=2"})
    void aCutOfItsRepairLeavesItDirtyOrWhollyRepaired(String options) throws Exception {
        everyCutOfTheRepairLeavesItDirtyOrRepaired(killedInMemory(options));
    }

    /** The last that a repair corrects are flags: they too are durable before the dirty bit goes. */
    @Test
    void norIsItCleanBeforeItsFlagsAreRight() throws Exception {
        SimStorage killed = killedInMemory("");
        long l1 = header(killed).l1Offset();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment word = arena.allocate(ValueLayout.JAVA_LONG);
            killed.read(l1, word);
            byte flags = word.get(ValueLayout.JAVA_BYTE, 0);
            assertThat(flags).as("COPIED of the first L1 entry").isNegative();
            word.set(ValueLayout.JAVA_BYTE, 0, (byte) (flags & 0x7f));
            killed.write(l1, word);
        }
        everyCutOfTheRepairLeavesItDirtyOrRepaired(killed);
    }

    private void everyCutOfTheRepairLeavesItDirtyOrRepaired(SimStorage killed) throws Exception {
        byte[] before = contents(killed);
        SimStorage file = killed.copy(new Power());
        assertThat(ImageRepair.cleanDirty(file, ONE_THREAD, CheckListener.SILENT))
                .isTrue();
        assertThat(header(file).isDirty()).isFalse();
        AtomicInteger dirty = new AtomicInteger();
        AtomicInteger repaired = new AtomicInteger();
        CrashStates.of(file.power()).atMost(STATES / 3).forEach(state -> {
            SimStorage after = state.disk();
            if (header(after).isDirty()) {
                dirty.incrementAndGet();
                assertThat(ImageRepair.cleanDirty(after, ONE_THREAD, CheckListener.SILENT))
                        .isTrue();
            } else {
                repaired.incrementAndGet();
            }
            CheckReport report = check(after);
            assertThat(report.corruptions() + report.checkErrors() + report.leaks())
                    .isZero();
            assertThat(ImageRepair.cleanDirty(after, ONE_THREAD, CheckListener.SILENT))
                    .isFalse();
            if (state.number() % 16 == 0) {
                assertThat(contents(after)).isEqualTo(before);
            }
        });
        assertThat(dirty.get()).isPositive();
        assertThat(repaired.get()).isPositive();
    }

    /** Not a single cut of our writes shows the bit, so nobody ever has to repair, although the image would allow it. */
    @Test
    void anImageThatAllowsLazyRefcountsIsNeverDirtyByOurWrites() {
        Shape shape = Shape.plain(12).withSnapshot();
        Schedules.drawn(Lab.seed(), 2).explore(steps -> {
            Path image = Template.of(shape).top.resolveSibling("lazy-" + System.nanoTime() + ".qcow2");
            Files.copy(Template.of(shape).top, image);
            QemuImg.v10()
                    .run("amend", "-f", "qcow2", "-o", "lazy_refcounts=on", image.toString())
                    .orFail();
            Rig rig = Rig.of(shape, image, 0);
            assertThat(header(rig.top).lazyRefcounts()).isTrue();
            DiskOptions options =
                    WRITABLE.withSliceCacheBytes(8192).withWaits(signal -> steps.await(signal::isFired, "a signal"));
            Disk disk = rig.open(options, storage -> new SteppedStorage(storage, steps));
            Guests.work(engine, steps, disk, Guests.scripts(engine, rig, 71, 2, 10), 4);
            steps.run();
            disk.close();
            CrashStates.of(rig.power).atMost(STATES / 2).forEach(state -> {
                Rig after = rig.after(state);
                assertThat(header(after.top).isDirty()).isFalse();
                assertThat(header(after.top).lazyRefcounts()).isTrue();
                after.assertAtMostLeaks();
                rig.model.checkAfterCut(state.cut(), after.contents());
            });
            Path written = Files.write(image, rig.top.bytes());
            QemuImg.v10().run("check", "-f", "qcow2", written.toString()).orFail();
            assertThat(QemuImg.v10().bytesOf(written)).isEqualTo(rig.contents().toArray(ValueLayout.JAVA_BYTE));
        });
    }
}
