package dev.cowherd.check;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.testkit.QemuImg;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * On broken images the check counts what QEMU counts, number by number, and says the same lines; where QEMU refuses to open
 * the image or to go on, the check refuses too. Rerun a failure with {@code -Dcowherd.seed=N}.
 */
class BrokenImagesTest {
    private static final int CASES = Integer.getInteger("cowherd.cases", 60);
    private static final QemuImg QEMU = QemuImg.v10();

    @TempDir
    Path folder;

    /** The images to break: small, each with something of its own. */
    enum Base {
        SMALL_CLUSTERS("cluster_size=512", "1M"),
        VERSION_2("compat=0.10,cluster_size=4096", "6M"),
        ONE_BIT("cluster_size=4096,refcount_bits=1", "6M"),
        FOUR_BITS("cluster_size=4096,refcount_bits=4", "6M"),
        EIGHT_BITS("cluster_size=4096,refcount_bits=8", "6M"),
        WIDE("cluster_size=4096,refcount_bits=32", "6M"),
        WIDEST("cluster_size=2048,refcount_bits=64", "3M"),
        EXTENDED("cluster_size=16k,extended_l2=on", "20M"),
        SNAPSHOTS("cluster_size=4096", "6M"),
        BITMAPS("cluster_size=4096", "6M"),
        DATA_FILE("cluster_size=4096", "6M"),
        DATA_FILE_EXTENDED("cluster_size=16k,extended_l2=on", "20M"),
        LARGE_CLUSTERS("cluster_size=256k,refcount_bits=2", "20M"),
        USUAL("compression_type=zstd", "40M");

        private final String options;
        private final String size;

        Base(String options, String size) {
            this.options = options;
            this.size = size;
        }

        Path make(Path folder) {
            Path image = folder.resolve(name() + ".qcow2");
            String all = hasDataFile() ? options + ",data_file=" + image + ".data" : options;
            QEMU.create(image, size, "-o", all);
            if (this == BITMAPS) {
                QEMU.run("bitmap", "--add", "-g", "4096", image.toString(), "b0")
                        .orFail();
            }
            write(image, 1);
            if (this == SNAPSHOTS || this == USUAL || this == EXTENDED || this == VERSION_2) {
                QEMU.run("snapshot", "-c", "one", image.toString()).orFail();
                write(image, 2);
                QEMU.run("snapshot", "-c", "two", image.toString()).orFail();
                write(image, 3);
            }
            return image;
        }

        private boolean hasDataFile() {
            return this == DATA_FILE || this == DATA_FILE_EXTENDED;
        }

        private void write(Path image, int round) {
            List<String> commands = new ArrayList<>(List.of(
                    "write -P 1 " + round * 64 + "k 200k",
                    "write -P 2 700k 48k",
                    "write -P 3 500k 32k",
                    "write -z " + (600 + round * 16) + "k 64k",
                    "write -P 4 " + round * 100 + "k 3k"));
            if (!hasDataFile() && this != ONE_BIT && this != LARGE_CLUSTERS) {
                int cluster = this == USUAL ? 64 << 10 : this == EXTENDED ? 16 << 10 : 4 << 10;
                for (int i = 0; i < 5; i++) {
                    commands.add("write -c -P " + (10 + i) + " " + (12L * (64 << 10) + (long) (round * 8 + i) * cluster)
                            + " " + cluster);
                }
            }
            QEMU.io(image, commands);
        }
    }

    @ParameterizedTest
    @EnumSource
    void countsWhatQemuCounts(Base base) throws IOException {
        Path image = base.make(folder);
        byte[] pristine = Files.readAllBytes(image);
        Mutations mutations = new Mutations(pristine);
        Long only = Long.getLong("cowherd.seed");
        try (FileChannel file = FileChannel.open(image, StandardOpenOption.WRITE)) {
            for (int i = 0; i < (only == null ? CASES : 1); i++) {
                long seed = only == null ? base.name().hashCode() * 1_000_000L + i : only;
                Random random = new Random(seed);
                StringBuilder told = new StringBuilder(base + ", seed " + seed + ": ");
                Map<Integer, byte[]> patches = mutations.breakSome(random, told);
                apply(file, patches);
                if (random.nextInt(10) == 0) {
                    int kept = (int) (pristine.length * (0.9 + 0.1 * random.nextDouble()));
                    told.append("cut to ").append(kept);
                    file.truncate(kept);
                }
                compare(image, told.toString());
                restore(file, patches, pristine);
            }
        }
    }

    private static void compare(Path image, String told) throws IOException {
        Verdict expected = Verdict.ofQemu(QEMU, image);
        Verdict ours = Verdict.ofOurs(image, 2);
        Set<String> theirLines = linesOfQemu(expected);
        Set<String> ourLines = new TreeSet<>(ours.lines());
        String context = told + "\nonly QEMU: " + without(theirLines, ourLines) + "\nonly ours: "
                + without(ourLines, theirLines) + (ours.refused() ? "\nrefused: " + ours.reason() : "");
        assertThat(ours.refused()).as(context).isEqualTo(expected.refused());
        assertThat(ours.numbers()).as(context).isEqualTo(expected.numbers());
        if (!expected.refused()) {
            assertThat(ourLines.equals(theirLines)).as(context).isTrue();
        }
    }

    private static Set<String> without(Set<String> lines, Set<String> others) {
        TreeSet<String> rest = new TreeSet<>(lines);
        rest.removeAll(others);
        return rest;
    }

    /** Lines about the image: without QEMU's own failure at the end and its advice on other commands. */
    private static Set<String> linesOfQemu(Verdict verdict) {
        TreeSet<String> lines = new TreeSet<>(verdict.lines());
        lines.removeIf(line -> line.startsWith("qemu-img: ") || line.startsWith("Use qemu-img amend"));
        return lines;
    }

    static void apply(FileChannel file, Map<Integer, byte[]> patches) throws IOException {
        for (Map.Entry<Integer, byte[]> patch : patches.entrySet()) {
            file.write(ByteBuffer.wrap(patch.getValue()), patch.getKey());
        }
    }

    private static void restore(FileChannel file, Map<Integer, byte[]> patches, byte[] pristine) throws IOException {
        long size = file.size();
        if (size < pristine.length) {
            file.write(ByteBuffer.wrap(pristine, (int) size, (int) (pristine.length - size)), size);
        }
        for (Map.Entry<Integer, byte[]> patch : patches.entrySet()) {
            file.write(ByteBuffer.wrap(pristine, patch.getKey(), patch.getValue().length), patch.getKey());
        }
    }
}
