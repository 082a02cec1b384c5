package dev.cowherd.cli.convert;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Proves that a scan loses no byte that is not zero, and leaves out every aligned run of zeros that is long enough. */
final class SparseScanTest {
    private static final int BUFFER = 64 << 10;

    private record Run(boolean data, long from, long to) {}

    @Test
    void runsCoverTheBufferAndZerosAreZeros() throws IOException {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment zeros = arena.allocate(BUFFER);
            for (int round = 0; round < 2000; round++) {
                int sparse = 512 * (1 + random.nextInt(16));
                int length = 512 * (1 + random.nextInt(BUFFER / 512));
                long diskOffset = 512L * random.nextInt(1000);
                MemorySegment buffer = randomBytes(arena, random, length);
                List<Run> runs = scan(new SparseScan(sparse, zeros), buffer, length, diskOffset);
                String what = "seed " + seed + " round " + round;
                requireSound(what, buffer, length, runs);
                requireHoles(what, buffer, length, diskOffset, sparse, runs);
            }
        }
    }

    @Test
    void sizeZeroFindsNoZeros() throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment buffer = arena.allocate(BUFFER);
            assertThat(scan(new SparseScan(0, buffer), buffer, BUFFER, 0)).containsExactly(new Run(true, 0, BUFFER));
        }
    }

    private static void requireSound(String what, MemorySegment buffer, int length, List<Run> runs) {
        long at = 0;
        for (Run run : runs) {
            assertThat(run.from()).as(what).isEqualTo(at);
            assertThat(run.to()).as(what).isGreaterThan(at);
            if (!run.data()) {
                assertThat(allZero(buffer, run.from(), run.to()))
                        .as(what + " " + run)
                        .isTrue();
            }
            at = run.to();
        }
        assertThat(at).as(what).isEqualTo(length);
    }

    /** Every stretch of zeros that holds an aligned block and is as long as the sparse size has a hole. */
    private static void requireHoles(
            String what, MemorySegment buffer, int length, long diskOffset, int sparse, List<Run> runs) {
        int block = Integer.highestOneBit(sparse);
        long first = Math.floorMod(-diskOffset, (long) block);
        for (long from = first; from + 2L * block <= length; from += block) {
            if (allZero(buffer, from, from + 2L * block)) {
                long at = from;
                assertThat(runs.stream().filter(run -> run.from() <= at && at < run.to()))
                        .as(what + " at " + at)
                        .singleElement()
                        .matches(run -> !run.data());
            }
        }
    }

    private static List<Run> scan(SparseScan scan, MemorySegment buffer, long length, long diskOffset)
            throws IOException {
        List<Run> runs = new ArrayList<>();
        scan.forEachRun(buffer, length, diskOffset, new SparseScan.Runs() {
            @Override
            public void data(long from, long to) {
                runs.add(new Run(true, from, to));
            }

            @Override
            public void zeros(long from, long to) {
                runs.add(new Run(false, from, to));
            }
        });
        return runs;
    }

    private static MemorySegment randomBytes(Arena arena, Random random, int length) {
        MemorySegment buffer = arena.allocate(length);
        for (int at = 0; at < length; ) {
            int run = Math.min(length - at, 1 + random.nextInt(20_000));
            if (random.nextBoolean()) {
                buffer.set(ValueLayout.JAVA_BYTE, at + random.nextInt(run), (byte) 1);
            }
            at += run;
        }
        return buffer;
    }

    private static boolean allZero(MemorySegment buffer, long from, long to) {
        for (long at = from; at < to; at++) {
            if (buffer.get(ValueLayout.JAVA_BYTE, at) != 0) {
                return false;
            }
        }
        return true;
    }
}
