package dev.cowherd.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.format.CompressionType;
import dev.cowherd.image.CreateOptions;
import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.Engine;
import dev.cowherd.image.ImageCreator;
import dev.cowherd.image.Preallocation;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * An image that we create is the one that {@code qemu-img create} makes of the same options: byte for byte where one refcount block
 * is enough, and by QEMU's own check, info and compare everywhere.
 */
final class CreateMatrixTest {
    private static final QemuImg QEMU = QemuImg.v10();
    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir
    private Path folder;

    /**
     * One image, as both programs are told to make it.
     *
     * @param options QEMU's {@code -o}
     * @param ours the same for us
     * @param sameBytes whether the files must be equal
     */
    record Case(String options, CreateOptions ours, boolean sameBytes) {
        @Override
        public String toString() {
            return options + " " + ours.sizeBytes();
        }
    }

    static Stream<Case> shapes() {
        List<Case> cases = new ArrayList<>();
        for (int bits = 9; bits <= 21; bits++) {
            for (int order = 0; order <= 6; order++) {
                // Every image that one refcount block counts is QEMU's byte for byte, also when that block is full.
                long most = ((1L << (bits + 3 - order)) - 4) << bits;
                long l2Reach = 1L << (2 * bits - 3);
                long size = Math.min(3 * l2Reach + 512, Math.max(512, most));
                cases.add(new Case(
                        "cluster_size=" + (1 << bits) + ",refcount_bits=" + (1 << order),
                        CreateOptions.ofSize(size)
                                .clusterBits(bits)
                                .refcountOrder(order)
                                .build(),
                        true));
            }
            cases.add(new Case(
                    "compat=0.10,cluster_size=" + (1 << bits),
                    CreateOptions.ofSize(1 << 20).version(2).clusterBits(bits).build(),
                    bits > 9));
        }
        return cases.stream();
    }

    static Stream<Case> features() {
        List<Case> cases = new ArrayList<>();
        for (long size : new long[] {0, 512, 1 << 20, 5 * (1 << 20) + 512}) {
            cases.add(new Case("compat=1.1", CreateOptions.ofSize(size).build(), true));
            cases.add(new Case(
                    "lazy_refcounts=on,compression_type=zstd",
                    CreateOptions.ofSize(size)
                            .lazyRefcounts(true)
                            .compressionType(CompressionType.ZSTD)
                            .build(),
                    true));
            for (int bits = 14; bits <= 20; bits += 3) {
                cases.add(new Case(
                        "extended_l2=on,cluster_size=" + (1 << bits),
                        CreateOptions.ofSize(size)
                                .extendedL2(true)
                                .clusterBits(bits)
                                .build(),
                        true));
            }
        }
        // So many clusters of tables that they need many refcount blocks.
        cases.add(new Case(
                "cluster_size=512,refcount_bits=64",
                CreateOptions.ofSize(100L << 30).clusterBits(9).refcountOrder(6).build(),
                false));
        cases.add(
                new Case("cluster_size=65536", CreateOptions.ofSize(2000L << 40).build(), true));
        return cases.stream();
    }

    static Stream<Case> preallocated() {
        List<Case> cases = new ArrayList<>();
        for (Preallocation mode : List.of(Preallocation.METADATA, Preallocation.FALLOC, Preallocation.FULL)) {
            for (int bits : new int[] {9, 10, 12, 14, 16, 21}) {
                for (boolean extended : bits < 14 ? new boolean[] {false} : new boolean[] {false, true}) {
                    long size = bits == 9 ? 700 * 512 : Math.min(40L << 20, 1100L << bits);
                    int order = bits % 7;
                    boolean oneBlock = size >> bits < (1 << (bits + 3 - order)) - 10;
                    cases.add(new Case(
                            "preallocation=" + name(mode) + ",cluster_size=" + (1 << bits) + ",refcount_bits="
                                    + (1 << order) + (extended ? ",extended_l2=on" : ""),
                            CreateOptions.ofSize(size)
                                    .clusterBits(bits)
                                    .refcountOrder(order)
                                    .extendedL2(extended)
                                    .preallocation(mode)
                                    .build(),
                            oneBlock && mode == Preallocation.METADATA));
                }
            }
        }
        return cases.stream();
    }

    private static String name(Preallocation mode) {
        return switch (mode) {
            case OFF -> "off";
            case METADATA -> "metadata";
            case FALLOC -> "falloc";
            case FULL -> "full";
        };
    }

    @ParameterizedTest
    @MethodSource({"shapes", "features", "preallocated"})
    void isWhatQemuMakes(Case made) throws Exception {
        compare(made, "qcow2");
    }

    @Test
    void withABackingFile() throws Exception {
        Path base = folder.resolve("base.qcow2");
        QEMU.create(base, "3M");
        for (int bits : new int[] {9, 12, 13, 16}) {
            for (String version : List.of("0.10", "1.1")) {
                CreateOptions ours = CreateOptions.ofSize(5 << 20)
                        .clusterBits(bits)
                        .version(version.equals("1.1") ? 3 : 2)
                        .backing(base.toString(), "qcow2")
                        .build();
                String options = "cluster_size=" + (1 << bits) + ",compat=" + version;
                compare(new Case(options, ours, true), "qcow2", "-b", base.toString(), "-F", "qcow2");
            }
        }
        CreateOptions both = CreateOptions.ofSize(5 << 20)
                .extendedL2(true)
                .preallocation(Preallocation.METADATA)
                .backing(base.toString(), "qcow2")
                .build();
        compare(
                new Case("extended_l2=on,preallocation=metadata", both, true),
                "qcow2",
                "-b",
                base.toString(),
                "-F",
                "qcow2");
    }

    @Test
    void withADataFile() throws Exception {
        Path data = folder.resolve("data.raw");
        for (Preallocation mode : Preallocation.values()) {
            for (boolean raw : new boolean[] {false, true}) {
                CreateOptions ours = CreateOptions.ofSize(3 * (1 << 20) + 512)
                        .dataFile(data.toString(), raw)
                        .preallocation(mode)
                        .build();
                String options =
                        "data_file=" + data + ",preallocation=" + name(mode) + (raw ? ",data_file_raw=on" : "");
                // QEMU first: it replaces the data file, whose length must come out the same.
                Path theirs = qemu("data.qcow2", options, ours.sizeBytes());
                long length = Files.size(data);
                byte[] expected = Files.readAllBytes(theirs);
                Files.writeString(data, "old");
                ImageCreator.create(theirs, ours);
                assertThat(Files.readAllBytes(theirs)).as(options).isEqualTo(expected);
                assertThat(data).hasSize(length);
                assertThat(QEMU.bytesOf(theirs)).containsOnly(0);
            }
        }
    }

    private void compare(Case made, String format, String... more) throws IOException {
        Path theirs = qemu("theirs." + format, made.options(), made.ours().sizeBytes(), more);
        Path ours = folder.resolve("ours." + format);
        Files.deleteIfExists(ours);
        ImageCreator.create(ours, made.ours());

        if (made.sameBytes()) {
            assertThat(Files.mismatch(ours, theirs))
                    .as("first byte that differs")
                    .isEqualTo(-1);
            return;
        }
        Ran check = QEMU.run("check", ours.toString());
        assertThat(check.exit()).as(check.out() + check.err()).isZero();
        assertThat(info(ours)).isEqualTo(info(theirs));
        if (made.ours().sizeBytes() <= 64 << 20) {
            QEMU.run("compare", "-f", "qcow2", "-F", "qcow2", ours.toString(), theirs.toString())
                    .orFail();
            assertReadsAsZeros(ours);
        }
    }

    private Path qemu(String name, String options, long sizeBytes, String... more) {
        Path image = folder.resolve(name);
        List<String> all = new ArrayList<>(List.of("-o", options));
        all.addAll(List.of(more));
        QEMU.create(image, Long.toString(sizeBytes), all.toArray(String[]::new));
        return image;
    }

    /** All that QEMU tells of an image but its name, and the space it takes, which the host decides. */
    private static JsonNode info(Path image) {
        ObjectNode info = (ObjectNode) JSON.readTree(
                QEMU.run("info", "--output=json", image.toString()).orFail().out());
        info.remove(List.of("filename", "actual-size", "children"));
        return info;
    }

    private static void assertReadsAsZeros(Path image) throws IOException {
        try (Disk disk = Disk.open(image, DiskOptions.defaults());
                Arena arena = Arena.ofConfined()) {
            MemorySegment read = arena.allocate(Math.max(1, disk.sizeBytes())).asSlice(0, disk.sizeBytes());
            MemorySegment zeros = arena.allocate(Math.max(1, disk.sizeBytes())).asSlice(0, disk.sizeBytes());
            for (Engine engine : Reads.ENGINES) {
                try (Reads queue = Reads.of(engine, disk)) {
                    queue.read(0, read.fill((byte) 1));
                }
                assertThat(read.mismatch(zeros)).as("by " + engine).isEqualTo(-1);
            }
        }
    }
}
