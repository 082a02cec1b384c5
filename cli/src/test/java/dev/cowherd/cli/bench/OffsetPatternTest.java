package dev.cowherd.cli.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.HashSet;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Proves where requests go: QEMU's steps, wherever a queue begins, and random offsets over the whole disk. */
final class OffsetPatternTest {
    @Test
    void stepsWrapAsInQemuWhereverAQueueBegins() {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        for (int round = 0; round < 500; round++) {
            int buffer = 1 + random.nextInt(5000);
            long disk = (long) buffer + random.nextInt(100_000);
            long offset = random.nextLong(disk - buffer + 1);
            long step = random.nextInt(20_000);
            BenchSettings settings = settings(buffer, step, offset, false);
            int first = random.nextInt(300);
            long expected = offset;
            for (int i = 0; i < first; i++) {
                expected = disk <= buffer ? 0 : (expected + step) % (disk - buffer);
            }
            OffsetPattern pattern = new OffsetPattern(settings, disk, first, round);
            for (int i = 0; i < 50; i++) {
                assertThat(pattern.next())
                        .as("seed " + seed + " round " + round)
                        .isEqualTo(expected);
                expected = disk <= buffer ? 0 : (expected + step) % (disk - buffer);
            }
        }
    }

    @Test
    void randomOffsetsReachEveryBlockAndNeverBeyondTheDisk() {
        OffsetPattern pattern = new OffsetPattern(settings(4096, 0, 0, true), 100 * 4096 + 511, 0, 3);
        Set<Long> seen = new HashSet<>();
        for (int i = 0; i < 5000; i++) {
            long offset = pattern.next();
            assertThat(offset % 4096).isZero();
            assertThat(offset).isBetween(0L, 99L * 4096);
            seen.add(offset);
        }
        assertThat(seen).hasSize(100);
    }

    private static BenchSettings settings(int buffer, long step, long offset, boolean random) {
        return new BenchSettings(false, 0, 0, true, 1, 1, 1, null, Duration.ZERO, buffer, step, offset, random);
    }
}
