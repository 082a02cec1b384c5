package dev.cowherd.check;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.format.ImageFormatException;
import dev.cowherd.storage.FileOptions;
import dev.cowherd.storage.FileStorage;
import dev.cowherd.storage.Storage;
import dev.cowherd.testkit.QemuImg;
import dev.cowherd.testkit.Ran;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Images broken at random, repaired by QEMU and by us: what QEMU makes sound we make sound, counting the same; what a guest reads
 * stays; nothing gets worse. Rerun a failure with {@code -Dcowherd.seed=N}.
 */
class RepairBrokenImagesTest {
    private static final int CASES = Integer.getInteger("cowherd.cases", 8);
    private static final QemuImg QEMU = QemuImg.v10();

    @TempDir
    Path folder;

    /** How a repair ended: its counts, or null where it was refused. */
    private record Repaired(@Nullable CheckReport report, String reason) {}

    @ParameterizedTest
    @EnumSource(BrokenImagesTest.Base.class)
    void repairsWhatQemuRepairs(BrokenImagesTest.Base base) throws IOException {
        Path image = base.make(folder);
        byte[] pristine = Files.readAllBytes(image);
        Mutations mutations = new Mutations(pristine);
        Long only = Long.getLong("cowherd.seed");
        for (int i = 0; i < (only == null ? CASES : 1); i++) {
            long seed = only == null ? base.name().hashCode() * 1_000_000L + i : only;
            StringBuilder told = new StringBuilder(base + ", seed " + seed + ": ");
            Map<Integer, byte[]> patches = mutations.breakSome(new Random(seed), told);
            Files.write(image, pristine);
            try (FileChannel file = FileChannel.open(image, StandardOpenOption.WRITE)) {
                BrokenImagesTest.apply(file, patches);
            }
            compare(image, told.toString());
        }
    }

    private static void compare(Path image, String told) throws IOException {
        byte[] broken = Files.readAllBytes(image);
        byte[] content = contentOf(image);
        Verdict before = Verdict.ofOurs(image, 2);
        Ran theirs = QEMU.run("check", "-r", "all", "--output=json", "-f", "qcow2", image.toString());
        Verdict theirResult = Verdict.ofQemu(QEMU, image);
        Files.write(image, broken);
        Repaired ours = repair(image);
        Verdict ourResult = Verdict.ofQemu(QEMU, image);
        String context = told + "\nbefore: " + before.numbers() + "\nQEMU: " + theirs.exit() + " " + theirs.out()
                + theirs.err() + "\nleft by QEMU: " + theirResult.numbers() + theirResult.reason() + "\nours: "
                + ours.report() + ours.reason() + "\nleft by us: " + ourResult.numbers() + ourResult.reason();
        CheckReport report = ours.report();
        if (report == null) {
            assertThat(Files.readAllBytes(image)).as(context).isEqualTo(broken);
            assertThat(theirs.exit() != 0 || before.refused() || snapshotsBroken(before))
                    .as(context)
                    .isTrue();
            return;
        }
        if (content != null) {
            assertThat(contentOf(image)).as(context).isEqualTo(content);
        }
        assertThat(ourResult.refused()).as(context).isFalse();
        assertThat(corruptions(ourResult)).as(context).isLessThanOrEqualTo(corruptions(before));
        if (ours.reason().contains("ERROR snapshot table") || ours.reason().contains("ERROR snapshot ")) {
            // QEMU gives away what the broken entries' snapshots own.
            assertThat(report.leaksFixed()).as(context).isZero();
        } else if (theirs.exit() == 0) {
            assertThat(corruptions(ourResult) + leaks(ourResult)).as(context).isZero();
            // QEMU lets the file grow to hold such a block, and then finds one fault more: the block itself.
            boolean grown = theirs.err().contains("is outside image");
            if (grown) {
                return;
            }
            String json = theirs.out();
            assertThat(report.corruptionsFixed()).as(context).isEqualTo(number(json, "corruptions-fixed"));
            assertThat(report.leaksFixed()).as(context).isEqualTo(number(json, "leaks-fixed"));
        }
    }

    private static boolean snapshotsBroken(Verdict verdict) {
        return verdict.lines().stream()
                .anyMatch(line -> line.startsWith("ERROR snapshot ") && !line.contains("in image with data file"));
    }

    private static Repaired repair(Path image) throws IOException {
        StringBuilder lines = new StringBuilder();
        CheckListener listener = new Lines(line -> lines.append('\n').append(line));
        try (Storage storage = FileStorage.open(image, FileOptions.writing())) {
            CheckReport report = ImageRepair.run(storage, RepairMode.ALL, new CheckOptions(2, 256 << 20), listener);
            return new Repaired(report, lines.toString());
        } catch (ImageFormatException e) {
            return new Repaired(null, e.getMessage() + lines);
        }
    }

    /** What a guest reads, or null where QEMU cannot read it all. */
    private static byte @Nullable [] contentOf(Path image) throws IOException {
        Path raw = image.resolveSibling("content.raw");
        Ran ran = QEMU.run("convert", "-O", "raw", "-f", "qcow2", image.toString(), raw.toString());
        return ran.exit() == 0 ? Files.readAllBytes(raw) : null;
    }

    private static long corruptions(Verdict verdict) {
        return verdict.numbers().getOrDefault("corruptions", 0L)
                + verdict.numbers().getOrDefault("check-errors", 0L);
    }

    private static long leaks(Verdict verdict) {
        return verdict.numbers().getOrDefault("leaks", 0L);
    }

    private static long number(String json, String key) {
        int at = json.indexOf("\"" + key + "\": ");
        if (at < 0) {
            return 0;
        }
        String rest = json.substring(at + key.length() + 4);
        return Long.parseLong(rest.substring(0, rest.indexOf(',')).strip());
    }
}
