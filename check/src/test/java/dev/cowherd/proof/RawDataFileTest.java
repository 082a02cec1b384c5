package dev.cowherd.proof;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.as;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.InstanceOfAssertFactories.STRING;

import dev.cowherd.image.CreateOptions;
import dev.cowherd.image.DetectZeroes;
import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.Engine;
import dev.cowherd.image.ImageCreator;
import dev.cowherd.image.ZeroMode;
import dev.cowherd.storage.CacheMode;
import dev.cowherd.testkit.QemuImg;
import dev.cowherd.testkit.Ran;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** An external data file with {@code data_file_raw=on} is the guest's disk, byte for byte, for whoever reads it without the image. */
@EachEngine
class RawDataFileTest {
    private static final int SECTOR = 512;

    @TempDir
    Path folder;

    private final Engine engine;

    RawDataFileTest(Engine engine) {
        this.engine = engine;
    }

    static Stream<Shape> shapes() {
        return Stream.of(
                        Shape.plain(9),
                        Shape.plain(12),
                        Shape.plain(16),
                        Shape.plain(16).withExtended())
                .map(shape -> shape.withData(Shape.Data.RAW_FILE));
    }

    /** An image, the file of its bytes, and what the guest knows that they are. */
    private final class Twin {
        final Shape shape;
        final Path image = folder.resolve("top.qcow2");
        final Path data = folder.resolve("top.data");
        final SplittableRandom random;
        private byte[] known;

        Twin(Shape shape, long seed) {
            this.shape = shape;
            this.random = new SplittableRandom(seed);
            this.known = new byte[Math.toIntExact(shape.sizeBytes())];
        }

        /** Every other one is ours, from the start. */
        void create(boolean byUs) throws IOException {
            Files.deleteIfExists(image);
            Files.deleteIfExists(data);
            if (byUs) {
                ImageCreator.create(
                        image,
                        CreateOptions.ofSize(shape.sizeBytes())
                                .clusterBits(shape.clusterBits())
                                .extendedL2(shape.extended())
                                .dataFile(data.toString(), true)
                                .build());
                return;
            }
            String extended = shape.extended() ? ",extended_l2=on" : "";
            QemuImg.v10()
                    .create(
                            image,
                            Long.toString(shape.sizeBytes()),
                            "-o",
                            "cluster_size=" + shape.clusterBytes() + extended + ",data_file_raw=on,data_file=" + data);
        }

        /** What the guest reads is what it knows, and the file of the data the same. */
        void compare(Guest guest, String when) throws IOException {
            MemorySegment seen = Arena.ofAuto().allocate(known.length, 4096).fill((byte) 0xee);
            guest.read(0, seen);
            assertThat(seen.mismatch(MemorySegment.ofArray(known)))
                    .as("first byte that the guest reads wrongly after %s", when)
                    .isEqualTo(-1);
            byte[] raw = Files.readAllBytes(data);
            // As from QEMU, the file may have all of the last cluster; a raw disk of that size ends in zeros.
            int clusters = Math.ceilDiv(known.length, shape.clusterBytes());
            assertThat(raw.length)
                    .as("bytes of the raw file after %s", when)
                    .isBetween(known.length, clusters * shape.clusterBytes());
            assertThat(Arrays.mismatch(raw, Arrays.copyOf(known, raw.length)))
                    .as(
                            "first byte of the raw file that is not as on the disk of %d bytes after %s",
                            known.length, when)
                    .isEqualTo(-1);
        }

        /** A drawn request. */
        void request(Guest guest) throws IOException {
            int offset = random.nextInt(known.length / SECTOR) * SECTOR;
            int unit = random.nextBoolean() ? SECTOR : shape.clusterBytes();
            offset = offset / unit * unit;
            int length = Math.min((1 + random.nextInt(3)) * unit, known.length - offset);
            // The last cluster, which the disk has only a part of, is met often.
            if (random.nextInt(6) == 0) {
                offset = known.length - Math.min(length, known.length);
            }
            int kind = random.nextInt(6);
            String what = "request kind " + kind + " at " + offset + ", " + length + " bytes";
            byte filler = kind < 2 ? (byte) (1 + random.nextInt(255)) : 0;
            MemorySegment bytes = Arena.ofAuto().allocate(length, 4096).fill(filler);
            switch (kind) {
                case 0, 1, 2 -> guest.write(offset, bytes);
                case 3 -> guest.writeZeroes(offset, length, ZeroMode.MAY_UNMAP);
                case 4 -> guest.writeZeroes(offset, length, ZeroMode.KEEP_ALLOCATED);
                default -> {
                    guest.discard(offset, length);
                    // Each byte is as it was, or zero.
                    MemorySegment left = Arena.ofAuto().allocate(length, 4096).fill((byte) 0xee);
                    guest.read(offset, left);
                    for (int i = 0; i < length; i++) {
                        bytes.set(JAVA_BYTE, i, left.get(JAVA_BYTE, i) == 0 ? 0 : known[offset + i]);
                    }
                }
            }
            MemorySegment.copy(bytes, 0, MemorySegment.ofArray(known), offset, length);
            compare(guest, what);
        }

        void resize(Disk disk, Guest guest, int bytes) throws IOException {
            String what = "a resize from " + known.length + " to " + bytes + " bytes";
            disk.resize(bytes);
            known = Arrays.copyOf(known, bytes);
            compare(guest, what);
        }

        /** QEMU's turn. It may leave entries that say "zeros", which ours never do here. */
        void byQemu() throws IOException {
            List<String> commands = new ArrayList<>();
            for (int i = 0; i < 9; i++) {
                int offset = random.nextInt(known.length / SECTOR) * SECTOR;
                int length = Math.min((1 + random.nextInt(2)) * shape.clusterBytes(), known.length - offset);
                String where = " " + offset + " " + length;
                byte filler = i % 3 == 0 ? (byte) (i + 1) : 0;
                commands.add((i % 3 == 0 ? "write -P " + filler : i % 3 == 1 ? "write -z -u" : "write -z") + where);
                Arrays.fill(known, offset, offset + length, filler);
            }
            QemuImg.v10().io(image, commands);
        }

        void judgeByQemu() {
            QemuImg qemu = QemuImg.v10();
            qemu.run("check", "-f", "qcow2", image.toString()).orFail();
            Ran compared = qemu.run("compare", "-f", "raw", "-F", "qcow2", data.toString(), image.toString());
            assertThat(compared.exit())
                    .as("qemu-img compare of the data file with the image: %s%s", compared.out(), compared.err())
                    .isZero();
        }
    }

    @ParameterizedTest
    @MethodSource("shapes")
    void theDataFileReadsAsTheGuestDoesAfterEachRequest(Shape shape) {
        for (int run = 0; run < Lab.count(4, 60); run++) {
            int turn = run;
            Lab.part(shape + ", " + engine + ", run " + run, () -> play(new Twin(shape, Lab.seed() + turn), turn));
        }
    }

    private void play(Twin twin, int turn) throws IOException {
        twin.create(turn % 2 == 0);
        DiskOptions options = Guests.byRing(DiskOptions.defaults()
                .withWritable(true)
                .withCacheMode(CacheMode.UNSAFE)
                .withPunchHoles(turn % 4 != 3)
                .withDetectZeroes(List.of(DetectZeroes.values()).get(turn % 3)));
        int requests = 24;
        int size = Math.toIntExact(twin.shape.sizeBytes());
        try (Disk disk = Disk.open(twin.image, options);
                Guest guest = Guest.of(engine, disk)) {
            several(twin, guest, requests);
            // Both new sizes are in the middle of a cluster, and the second is that of clusters that no table knows
            // yet.
            twin.resize(disk, guest, size / 3 / SECTOR * SECTOR);
            several(twin, guest, requests / 4);
            twin.resize(disk, guest, size + twin.shape.clusterBytes() + 3 * SECTOR);
            several(twin, guest, requests);
        }
        twin.judgeByQemu();
        twin.byQemu();
        twin.judgeByQemu();
        try (Disk disk = Disk.open(twin.image, options);
                Guest guest = Guest.of(engine, disk)) {
            twin.compare(guest, "QEMU's requests");
            several(twin, guest, requests / 2);
        }
        twin.judgeByQemu();
    }

    /** As on a block device: nobody knows what is behind the disk, and a disk that grows must not have it. */
    @ParameterizedTest
    @MethodSource("shapes")
    void whatLiesBehindADiskIsNotInItWhenItHasGrown(Shape shape) throws IOException {
        Twin twin = new Twin(shape, Lab.seed());
        twin.create(true);
        int size = Math.toIntExact(shape.sizeBytes());
        int clusters = Math.ceilDiv(size, shape.clusterBytes());
        int grown = (clusters + 2) * shape.clusterBytes();
        byte[] old = new byte[grown - size];
        Arrays.fill(old, (byte) 0x5a);
        Files.write(twin.data, Arrays.copyOf(Files.readAllBytes(twin.data), size));
        Files.write(twin.data, old, StandardOpenOption.APPEND);
        try (Disk disk = Disk.open(
                        twin.image, Guests.byRing(DiskOptions.defaults().withWritable(true)));
                Guest guest = Guest.of(engine, disk)) {
            twin.resize(disk, guest, grown);
        }
        twin.judgeByQemu();
    }

    /**
     * Without entries a first write would reach the file before the guest is sure to read it there. QEMU leaves the subclusters of extended
     * entries unallocated; ours never are.
     */
    @ParameterizedTest
    @MethodSource("shapes")
    void everyClusterHasItsEntryFromTheStart(Shape shape) throws IOException {
        Twin twin = new Twin(shape, Lab.seed());
        twin.create(true);
        assertAllData(twin);
        int size = Math.toIntExact(shape.sizeBytes());
        try (Disk disk = Disk.open(
                        twin.image, Guests.byRing(DiskOptions.defaults().withWritable(true)));
                Guest guest = Guest.of(engine, disk)) {
            twin.resize(disk, guest, size / 3 / SECTOR * SECTOR);
            twin.resize(disk, guest, 2 * size + 3 * SECTOR);
        }
        assertAllData(twin);
    }

    private static void assertAllData(Twin twin) {
        Ran map = QemuImg.v10().run("map", "-f", "qcow2", "--output=json", twin.image.toString());
        assertThat(map.out().lines().toList())
                .as("what QEMU finds mapped")
                .singleElement(as(STRING))
                .contains("\"start\": 0, \"length\": " + twin.known.length, "\"data\": true");
    }

    private static void several(Twin twin, Guest guest, int requests) throws IOException {
        for (int i = 0; i < requests; i++) {
            twin.request(guest);
        }
    }
}
