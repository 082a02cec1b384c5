package dev.cowherd.image;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.format.CompressionType;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** One queue writes, zeroes, discards and flushes at random; what it reads, and what qemu-img reads afterwards, is what was written. */
@EachEngine
class WritingTest {
    private static final int DISK_BYTES = 3 << 20;

    @TempDir
    Path folder;

    private final Engine engine;

    WritingTest(Engine engine) {
        this.engine = engine;
    }

    @ParameterizedTest
    @CsvSource({
        "3,16,4,false,none,false",
        "2,16,4,false,none,false",
        "3,9,4,false,none,false",
        "3,12,0,false,none,false",
        "3,12,6,false,raw,false",
        "2,12,4,false,raw,false",
        "3,16,4,true,none,false",
        "3,14,1,true,raw,false",
        "3,16,4,true,compressed,false",
        "3,12,4,false,compressed,false",
        "3,16,3,false,short,false",
        "3,16,4,false,none,true",
        "3,16,4,true,none,true",
        "3,21,4,false,raw,false",
        "3,9,6,false,short,false",
    })
    void whatIsWrittenIsReadHereAndByQemu(
            int version, int clusterBits, int refcountOrder, boolean extended, String below, boolean dataFile)
            throws Exception {
        for (long seed = 1; seed <= 2; seed++) {
            run(seed, version, clusterBits, refcountOrder, extended, below, dataFile);
        }
    }

    private void run(
            long seed,
            int version,
            int clusterBits,
            int refcountOrder,
            boolean extended,
            String below,
            boolean dataFile)
            throws Exception {
        Path top = folder.resolve("top-" + seed + ".qcow2");
        Qemu qemu = new Qemu(folder);
        byte[] expected = new byte[DISK_BYTES];
        CreateOptions.Builder options = CreateOptions.ofSize(DISK_BYTES)
                .version(version)
                .clusterBits(clusterBits)
                .refcountOrder(refcountOrder)
                .compressionType(CompressionType.ZLIB)
                .extendedL2(extended);
        switch (below) {
            case "raw", "short" -> {
                byte[] bytes = qemu.random("base.raw", below.equals("raw") ? DISK_BYTES : (1 << 20) + 1536, seed);
                System.arraycopy(bytes, 0, expected, 0, bytes.length);
                options.backing("base.raw", "raw");
            }
            case "compressed" -> {
                byte[] bytes = qemu.compressible("base.raw", DISK_BYTES, seed);
                qemu.img("base.qcow2", "convert", "-c", "-O", "qcow2", "base.raw", "base.qcow2");
                System.arraycopy(bytes, 0, expected, 0, bytes.length);
                options.backing("base.qcow2", "qcow2");
            }
            default -> {}
        }
        if (dataFile) {
            options.dataFile("data-" + seed + ".raw", false);
        }
        ImageCreator.create(top, options.build());
        if (below.equals("compressed") && seed == 2) {
            // Compressed clusters in the image that is written, too.
            qemu.img(
                    "top-2.qcow2",
                    "convert",
                    "-c",
                    "-O",
                    "qcow2",
                    "-o",
                    "cluster_size=" + (1 << clusterBits) + ",extended_l2=" + (extended ? "on" : "off"),
                    "base.raw",
                    "top-2.qcow2");
        }
        Random random = new Random(seed);
        try (Disk disk = Disk.open(
                        top,
                        DiskOptions.defaults()
                                .withWritable(true)
                                .withSliceCacheBytes(seed % 2 * DiskOptions.DEFAULT_SLICE_CACHE_BYTES));
                Client queue = Client.of(engine, disk)) {
            // The engines share them.
            for (int i = 0; i < 200; i++) {
                step(random, queue, expected, seed, i);
            }
        }
        qemu.img(top.toString(), "check", top.toString());
        assertThat(Arrays.mismatch(qemu.raw(top.getFileName().toString()), expected))
                .as("seed " + seed + ": first difference to what qemu-img reads")
                .isEqualTo(-1);
        Files.delete(top);
    }

    private static void step(Random random, Client queue, byte[] expected, long seed, int step) throws Exception {
        int unit = random.nextBoolean() ? 512 : 1;
        int at = random.nextInt(DISK_BYTES / unit) * unit;
        int most = random.nextInt(4) == 0 ? 400 << 10 : 20 << 10;
        int length = Math.min(DISK_BYTES - at, (1 + random.nextInt(most / unit)) * unit);
        switch (random.nextInt(10)) {
            case 0, 1, 2, 3, 4 -> {
                byte[] bytes = new byte[length];
                random.nextBytes(bytes);
                queue.write(at, ByteBuffer.wrap(bytes));
                System.arraycopy(bytes, 0, expected, at, length);
            }
            case 5, 6 -> {
                queue.writeZeroes(at, length, random.nextBoolean() ? ZeroMode.MAY_UNMAP : ZeroMode.KEEP_ALLOCATED);
                Arrays.fill(expected, at, at + length, (byte) 0);
            }
            case 7 -> {
                queue.discard(at, length);
                byte[] now = new byte[length];
                queue.read(at, ByteBuffer.wrap(now));
                for (int i = 0; i < length; i++) {
                    if (now[i] != 0 && now[i] != expected[at + i]) {
                        throw new AssertionError("seed " + seed + " step " + step + ": a discard at " + at + "+"
                                + length + " shows a foreign byte at " + (at + i));
                    }
                }
                System.arraycopy(now, 0, expected, at, length);
            }
            case 8 -> queue.flush();
            default -> {
                byte[] now = new byte[length];
                queue.read(at, ByteBuffer.wrap(now));
                int different = Arrays.mismatch(now, 0, length, expected, at, at + length);
                assertThat(different)
                        .as("seed " + seed + " step " + step + ": read at " + at + "+" + length)
                        .isEqualTo(-1);
            }
        }
    }
}
