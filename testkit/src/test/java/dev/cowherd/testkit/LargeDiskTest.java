package dev.cowherd.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.Engine;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A disk of 10 TiB whose tables are larger than the cache is served by four queues, two of each engine, in a heap of 64 MiB, the default cache of
 * 32 MiB included.
 */
@Tag("hostile")
final class LargeDiskTest {
    private static final long SEED = Long.getLong("cowherd.seed", 1);
    private static final long TABLE = 8192L << 16;
    private static final long SLICE = 512L << 16;
    private static final int TABLES = 700;

    @TempDir
    private Path folder;

    @Test
    void tenTebibytesIn64MiB() throws Exception {
        Path image = folder.resolve("large.qcow2");
        QemuImg.v10().create(image, "10T");
        List<Long> marks = marks();
        for (int from = 0; from < marks.size(); from += 350) {
            List<String> writes = new ArrayList<>();
            for (long mark : marks.subList(from, Math.min(from + 350, marks.size()))) {
                writes.add("write -P " + value(mark) + " " + mark + " 512");
            }
            QemuImg.v10().ioOn(List.of("-f", "qcow2", "-t", "unsafe"), image, writes);
        }
        try (Disk disk = Disk.open(image, DiskOptions.defaults());
                ExecutorService threads = Executors.newFixedThreadPool(4)) {
            assertThat(disk.sizeBytes()).isEqualTo(10L << 40);
            List<Future<?>> readers = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                Engine engine = Reads.engineOf(i);
                Random random = new Random(SEED + i);
                readers.add(threads.submit(() -> {
                    readAllTables(engine, disk, marks, random);
                    return null;
                }));
            }
            for (Future<?> reader : readers) {
                reader.get();
            }
        }
    }

    /** One written place in each of many L2 tables. */
    private static List<Long> marks() {
        Random random = new Random(SEED);
        List<Long> marks = new ArrayList<>();
        for (long table = 0; table < TABLES; table++) {
            marks.add(table * 29 * TABLE + 512 * random.nextLong(TABLE / 512));
        }
        return marks;
    }

    private static int value(long mark) {
        return 1 + (int) (mark / 512 % 250);
    }

    /** Touches every slice of every table, so that all are loaded and most are evicted again. */
    private static void readAllTables(Engine engine, Disk disk, List<Long> marks, Random random) throws Exception {
        try (Reads queue = Reads.of(engine, disk);
                Arena arena = Arena.ofConfined()) {
            MemorySegment sector = arena.allocate(512);
            for (int i = 0; i < marks.size(); i++) {
                long mark = marks.get(random.nextInt(marks.size()));
                long table = mark / TABLE * TABLE;
                for (long slice = table; slice < table + TABLE; slice += SLICE) {
                    queue.read(slice, sector);
                    long expected = slice == mark ? value(mark) : 0;
                    assertThat(sector.get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) expected);
                }
                queue.read(mark, sector);
                assertThat(sector.get(ValueLayout.JAVA_BYTE, 511)).isEqualTo((byte) value(mark));
            }
        }
    }
}
