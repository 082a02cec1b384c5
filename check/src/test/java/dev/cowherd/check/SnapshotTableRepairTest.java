package dev.cowherd.check;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.format.Bytes;
import dev.cowherd.format.Header;
import dev.cowherd.format.Snapshot;
import dev.cowherd.storage.FileOptions;
import dev.cowherd.storage.FileStorage;
import dev.cowherd.storage.Storage;
import dev.cowherd.testkit.QemuImg;
import dev.cowherd.testkit.Ran;
import dev.cowherd.testkit.lab.CrashStates;
import dev.cowherd.testkit.lab.Power;
import dev.cowherd.testkit.lab.SimStorage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Entries of the snapshot table that lack extra data, or have too much of it: QEMU and we say the same of them, count the same, and leave the
 * same snapshots; a cut of our repair leaves the old table or the new one.
 */
class SnapshotTableRepairTest {
    private static final QemuImg QEMU = QemuImg.v10();
    private static final CheckOptions OPTIONS = new CheckOptions(1, 64 << 20);

    @TempDir
    Path folder;

    /** An image's options, and the lengths that the extra data of its two snapshots gets. */
    record Case(String options, int first, int second) {}

    static Stream<Case> cases() {
        List<Case> cases = new ArrayList<>();
        for (String options : List.of("cluster_size=65536", "cluster_size=4096,refcount_bits=8", "compat=0.10")) {
            cases.add(new Case(options, 0, 24));
            cases.add(new Case(options, 8, 16));
            cases.add(new Case(options, 1100, 0));
            cases.add(new Case(options, 24, 2000));
        }
        return cases.stream();
    }

    private Path image(Case one) throws IOException {
        Path image = folder.resolve("image.qcow2");
        Files.deleteIfExists(image);
        QEMU.create(image, "8M", "-o", one.options);
        QEMU.io(image, List.of("write -P 1 0 256k"));
        QEMU.run("snapshot", "-c", "one", image.toString()).orFail();
        QEMU.io(image, List.of("write -P 2 128k 256k"));
        QEMU.run("snapshot", "-c", "two", image.toString()).orFail();
        QEMU.io(image, List.of("write -P 3 1M 64k"));
        byte[] bytes = Files.readAllBytes(image);
        ByteBuffer file = ByteBuffer.wrap(bytes);
        Header header = Header.decode(file.duplicate(), bytes.length);
        int at = (int) header.snapshotsOffset();
        List<Snapshot> snapshots = Snapshot.decodeTable(
                ByteBuffer.wrap(bytes, at, bytes.length - at).slice(), header);
        ByteBuffer table = Snapshot.encodeTable(
                List.of(withExtra(snapshots.get(0), one.first), withExtra(snapshots.get(1), one.second)));
        assertThat(table.remaining()).isLessThan(4096);
        file.put(at, table, 0, table.remaining());
        return Files.write(image, bytes);
    }

    private static Snapshot withExtra(Snapshot snapshot, int length) {
        byte[] extra = new byte[length];
        ByteBuffer there = snapshot.extraData().buffer();
        there.get(extra, 0, Math.min(length, there.remaining()));
        return new Snapshot(
                snapshot.id(),
                snapshot.name(),
                snapshot.l1Offset(),
                snapshot.l1Entries(),
                snapshot.dateSeconds(),
                snapshot.dateNanos(),
                snapshot.vmClockNanos(),
                snapshot.shortVmStateBytes(),
                Bytes.of(extra));
    }

    @ParameterizedTest
    @MethodSource("cases")
    void isMendedAsByQemu(Case one) throws IOException {
        Path image = image(one);
        byte[] broken = Files.readAllBytes(image);
        Ran theirs = QEMU.run("check", "-r", "all", "--output=json", "-f", "qcow2", image.toString());
        String theirSnapshots = snapshots(image);
        assertThat(theirs.exit()).as(theirs.err()).isZero();

        Files.write(image, broken);
        List<String> lines = new ArrayList<>();
        CheckReport ours = repair(image, lines);
        assertThat(lines).containsExactlyElementsOf(theirs.err().lines().toList());
        boolean anything = !lines.isEmpty();
        assertThat(ours.corruptionsFixed()).isEqualTo(lines.size());
        assertThat(ours.leaksFixed()).isZero();
        assertThat(theirs.out().contains("\"corruptions-fixed\": " + lines.size()))
                .isEqualTo(anything);
        assertThat(QEMU.run("check", "-f", "qcow2", image.toString()).exit()).isZero();
        try (Storage file = FileStorage.open(image, FileOptions.reading())) {
            assertThat(ImageCheck.run(file, OPTIONS, CheckListener.SILENT).isClean())
                    .isTrue();
        }
        assertThat(snapshots(image)).isEqualTo(theirSnapshots).contains("one").contains("two");
        if (!anything) {
            assertThat(Files.readAllBytes(image)).isEqualTo(broken);
        }
    }

    private static CheckReport repair(Path image, List<String> lines) throws IOException {
        try (Storage file = FileStorage.open(image, FileOptions.writing())) {
            return ImageRepair.run(file, RepairMode.ALL, OPTIONS, new Lines(lines::add));
        }
    }

    /** The list, and what each snapshot and the disk hold. */
    private String snapshots(Path image) throws IOException {
        StringBuilder told = new StringBuilder(
                QEMU.run("snapshot", "-l", image.toString()).orFail().out());
        for (String name : List.of("one", "two")) {
            Path raw = folder.resolve("content.raw");
            QEMU.run("convert", "-l", "snapshot.name=" + name, "-O", "raw", image.toString(), raw.toString())
                    .orFail();
            told.append(java.util.Arrays.hashCode(Files.readAllBytes(raw))).append('\n');
        }
        return told.append(java.util.Arrays.hashCode(QEMU.bytesOf(image))).toString();
    }

    @Test
    void aCutLeavesTheOldTableOrTheNewOne() throws IOException {
        Path image = image(new Case("cluster_size=4096", 0, 1100));
        SimStorage broken = SimStorage.holding(image.toString(), Files.readAllBytes(image));
        SimStorage repaired = broken.copy(new Power());
        ImageRepair.run(repaired, RepairMode.ALL, OPTIONS, CheckListener.SILENT);
        long old = table(broken);
        assertThat(table(repaired)).isNotEqualTo(old);
        long states = CrashStates.of(repaired.power()).atMost(400).forEach(state -> {
            SimStorage after = state.disk();
            if (table(after) != old) {
                CheckReport report = ImageCheck.run(after, OPTIONS, CheckListener.SILENT);
                assertThat(report.corruptions() + report.checkErrors()).isZero();
            }
            ImageRepair.run(after, RepairMode.ALL, OPTIONS, CheckListener.SILENT);
            assertThat(ImageCheck.run(after, OPTIONS, CheckListener.SILENT).isClean())
                    .isTrue();
        });
        assertThat(states).isGreaterThan(20);
    }

    private static long table(SimStorage file) throws IOException {
        byte[] bytes = file.bytes();
        return Header.decode(ByteBuffer.wrap(bytes), bytes.length).snapshotsOffset();
    }
}
