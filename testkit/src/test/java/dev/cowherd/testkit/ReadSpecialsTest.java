package dev.cowherd.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowherd.format.UnsupportedImageException;
import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.Engine;
import dev.cowherd.storage.CacheMode;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Images that the matrix does not make, read as QEMU reads them. */
final class ReadSpecialsTest {
    private static final long SEED = Long.getLong("cowherd.seed", 1);
    private static final QemuImg QEMU = QemuImg.v10();

    @TempDir
    private Path folder;

    @ParameterizedTest
    @ValueSource(ints = {512, 4096, 65536})
    void aRawBackingFileMayEndAnywhere(int cluster) throws Exception {
        Path below = folder.resolve("below.raw");
        Path top = folder.resolve("top.qcow2");
        byte[] data = new byte[200_001];
        new Random(SEED).nextBytes(data);
        Files.write(below, data);
        QEMU.create(top, "262656", "-o", "cluster_size=" + cluster, "-b", "below.raw", "-F", "raw");
        QEMU.io(top, List.of("write -P 0x11 70000 1", "write -z 80000 9000", "write -P 0x12 262655 1"));
        for (int bytes : new int[] {
            0, 1, 511, 512, 513, 4095, 4096, 4097, 65535, 65536, 65537, 69999, 70000, 70001, 131_071, 131_072, 199_999,
            200_001
        }) {
            Files.write(below, Arrays.copyOf(data, bytes));
            try (Disk disk = Disk.open(top, DiskOptions.defaults())) {
                new GuestReads(disk, QEMU.bytesOf(top), "backing of " + bytes + " bytes").fromQueues(2, SEED);
            }
        }
    }

    @Test
    void snapshotsOfOtherSizesReadAsFarAsQemuReadsThem() throws Exception {
        Path image = folder.resolve("sizes.qcow2");
        QEMU.create(image, "1M", "-o", "cluster_size=512");
        QEMU.io(image, List.of("write -P 1 0 1M"));
        QEMU.run("snapshot", "-c", "small", image.toString()).orFail();
        QEMU.run("resize", "-q", image.toString(), "3M").orFail();
        QEMU.io(image, List.of("write -P 2 0 3M"));
        QEMU.run("snapshot", "-c", "large", image.toString()).orFail();
        QEMU.run("resize", "-q", "--shrink", image.toString(), "2M").orFail();
        QEMU.io(image, List.of("write -P 3 0 2M"));

        for (String name : List.of("small", "large")) {
            byte[] expected = QEMU.bytesOf(image, "-l", name);
            try (Disk disk = Disk.open(image, DiskOptions.defaults().withSnapshot(name))) {
                // QEMU keeps the disk's size of today; this disk has the snapshot's own.
                assertThat(disk.sizeBytes()).isEqualTo(name.equals("small") ? 1 << 20 : 3 << 20);
                byte[] both = Arrays.copyOf(expected, (int) Math.min(disk.sizeBytes(), expected.length));
                for (Engine engine : Reads.ENGINES) {
                    assertThat(read(engine, disk, 0, both.length)).isEqualTo(both);
                }
            }
        }
    }

    @Test
    void aSnapshotWhoseNameIsAnothersId() throws Exception {
        Path image = folder.resolve("names.qcow2");
        QEMU.create(image, "1M");
        for (String name : List.of("2", "1", "x")) {
            QEMU.io(image, List.of("write -P 0x3" + name.replace("x", "f") + " 0 64k"));
            QEMU.run("snapshot", "-c", name, image.toString()).orFail();
        }
        for (String wanted : List.of("1", "2", "3", "x")) {
            byte[] expected = QEMU.bytesOf(image, "-l", wanted);
            try (Disk disk = Disk.open(image, DiskOptions.defaults().withSnapshot(wanted))) {
                for (Engine engine : Reads.ENGINES) {
                    new GuestReads(disk, expected, "snapshot " + wanted).fromOneQueue(engine, SEED);
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"cluster_size=65536", "cluster_size=4096", "cluster_size=65536,extended_l2=on"})
    void everyClusterInAnotherPlace(String options) throws Exception {
        Path image = folder.resolve("fragments.qcow2");
        QEMU.create(image, "24M", "-o", options);
        Random random = new Random(SEED);
        List<String> writes = new ArrayList<>();
        for (int i = 0; i < 350; i++) {
            // Backwards, so that no two neighbours lie in order; here and there a hole, half a cluster, or zeros.
            long offset = (350L - i) * 65536;
            switch (random.nextInt(6)) {
                case 0 ->
                    writes.add("write -P " + (1 + i % 250) + " " + (offset + 2048L * random.nextInt(20)) + " 4096");
                case 1 -> writes.add("write -z " + offset + " 32768");
                default -> writes.add("write -P " + (1 + i % 250) + " " + offset + " 65536");
            }
        }
        QEMU.ioOn(List.of("-f", "qcow2", "-t", "unsafe"), image, writes);
        try (Disk disk = Disk.open(image, DiskOptions.defaults())) {
            new GuestReads(disk, QEMU.bytesOf(image), "fragments, " + options).fromQueues(4, SEED);
        }
    }

    private static byte[] read(Engine engine, Disk disk, long offset, int length) throws IOException {
        try (Reads reads = Reads.of(engine, disk)) {
            MemorySegment bytes = MemorySegment.ofArray(new byte[length]);
            reads.read(offset, bytes);
            return bytes.toArray(ValueLayout.JAVA_BYTE);
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = Engine.class,
            names = {"SYNC", "RING"})
    void compressedClustersAtOnePlaceOfTwoFiles(Engine engine) throws Exception {
        HandMadeImage below = HandMadeImage.plain();
        below.compressed(4, HandMadeImage.deflate(below.plain(0x33, 1))).writeTo(folder.resolve("below.qcow2"));
        Path top = HandMadeImage.plain().backing("below.qcow2", "qcow2").writeTo(folder.resolve("top.qcow2"));

        byte[] expected = QEMU.bytesOf(top);
        assertThat(expected[2 << 16]).isEqualTo((byte) 0x77);
        assertThat(expected[4 << 16]).isEqualTo((byte) 0x33);
        try (Disk disk = Disk.open(top, DiskOptions.defaults());
                Reads queue = Reads.of(engine, disk);
                Arena arena = Arena.ofConfined()) {
            GuestReads reads = new GuestReads(disk, expected, "one host offset in two files");
            for (int i = 0; i < 3; i++) {
                reads.read(queue, 2 << 16, arena.allocate(100));
                reads.read(queue, 4 << 16, arena.allocate(100));
            }
        }
    }

    @Test
    void aHugeDiskIsRightAroundEveryBorderOfTheTables() throws Exception {
        Path image = folder.resolve("huge.qcow2");
        QEMU.create(image, "3T");
        Random random = new Random(SEED);
        long slice = 512L << 16;
        long table = 8192L << 16;
        List<Long> borders = new ArrayList<>(List.of(slice, 2 * slice, table - slice, table, table + slice, 2 * table));
        borders.addAll(List.of(1L << 31, 1L << 32, (1L << 40) + table, 3L << 40));
        List<String> writes = new ArrayList<>();
        for (long border : borders) {
            writes.add("write -P " + (1 + random.nextInt(250)) + " " + (border - 70_000) + " 65000");
            if (border < 3L << 40) {
                writes.add("write -P " + (1 + random.nextInt(250)) + " " + (border - 4000) + " 50000");
            }
        }
        QEMU.io(image, writes);
        Path raw = folder.resolve("huge.raw");
        QEMU.run("convert", "-O", "raw", "-S", "64k", image.toString(), raw.toString())
                .orFail();

        try (Disk disk = Disk.open(image, DiskOptions.defaults());
                FileChannel expected = FileChannel.open(raw)) {
            for (long border : borders) {
                int before = 150_000;
                int after = (int) Math.min(150_000, disk.sizeBytes() - border);
                ByteBuffer theirs = ByteBuffer.allocate(before + after);
                expected.read(theirs, border - before);
                for (Engine engine : Reads.ENGINES) {
                    assertThat(read(engine, disk, border - before, before + after))
                            .as("around " + border + ", " + engine)
                            .isEqualTo(theirs.array());
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(CacheMode.class)
    void anyCacheModeReadsTheSame(CacheMode mode) throws Exception {
        Path below = folder.resolve("below.raw");
        byte[] data = new byte[150_001];
        new Random(SEED).nextBytes(data);
        Files.write(below, data);
        Path top = folder.resolve("top.qcow2");
        QEMU.create(top, "1M", "-o", "cluster_size=4096", "-b", "below.raw", "-F", "raw");
        QEMU.io(top, List.of("write -P 7 100000 70001", "write -c -P 9 409600 40960", "write -P 8 700001 3333"));
        try (RandomAccessFile file = new RandomAccessFile(top.toFile(), "rw")) {
            file.setLength(file.length() + 77);
        }

        byte[] expected = QEMU.bytesOf(top);
        try (Disk disk = Disk.open(top, DiskOptions.defaults().withCacheMode(mode))) {
            new GuestReads(disk, expected, "cache mode " + mode).fromQueues(3, SEED);
        }
    }

    @Test
    void aLuksImageIsRefusedByName() {
        Path image = folder.resolve("secret.qcow2");
        QEMU.run(
                        "create",
                        "-q",
                        "-f",
                        "qcow2",
                        "--object",
                        "secret,id=s,data=cowherd",
                        "-o",
                        "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10",
                        image.toString(),
                        "1M")
                .orFail();

        assertThatThrownBy(() -> Disk.open(image, DiskOptions.defaults()))
                .isInstanceOf(UnsupportedImageException.class)
                .hasMessageContaining("LUKS");
    }

    @Test
    void theChannelReadsWhatAQueueReads() throws Exception {
        MadeImage image = QemuImages.shared().make(ImageRecipes.pairwise(1).get(3));
        byte[] expected = QEMU.bytesOf(image.top());
        try (Disk disk = Disk.open(image.top(), DiskOptions.defaults());
                SeekableByteChannel channel = disk.openChannel()) {
            ByteBuffer all = ByteBuffer.allocateDirect(expected.length + 100);
            while (channel.read(all) >= 0) {
                assertThat(channel.position()).isEqualTo(all.position());
            }
            assertThat(MemorySegment.ofBuffer(all.flip()).mismatch(MemorySegment.ofArray(expected)))
                    .isEqualTo(-1);
        }
    }

    @Test
    void openingAndFailingToOpenLeaksNoDescriptor() throws IOException {
        Path good = HandMadeImage.plain().writeTo(folder.resolve("good.qcow2"));
        Path top = HandMadeImage.plain().backing("good.qcow2", "qcow2").writeTo(folder.resolve("top.qcow2"));
        Path bad = HandMadeImage.plain().backing("missing", "raw").writeTo(folder.resolve("bad.qcow2"));
        openAll(good, top, bad);
        long before = descriptors();
        for (int i = 0; i < 50; i++) {
            openAll(good, top, bad);
        }

        assertThat(descriptors()).isLessThanOrEqualTo(before + 5);
    }

    private static void openAll(Path good, Path top, Path bad) throws IOException {
        for (Path path : List.of(good, top)) {
            try (Disk disk = Disk.open(path, DiskOptions.defaults());
                    Arena arena = Arena.ofConfined()) {
                // The queues are closed by the disk.
                for (Engine engine : Reads.ENGINES) {
                    Reads.of(engine, disk).read(0, arena.allocate(100));
                }
            }
        }
        assertThatThrownBy(() -> Disk.open(bad, DiskOptions.defaults())).hasMessageContaining("missing");
    }

    private static long descriptors() throws IOException {
        try (var all = Files.list(Path.of("/proc/self/fd"))) {
            return all.count();
        }
    }
}
