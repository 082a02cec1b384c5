package dev.cowherd.check;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowherd.format.UnsupportedImageException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

/** Counts are exact whatever their size and however many threads add to them, and never take more memory than allowed. */
class ReferenceCountsTest {
    private static final int CLUSTERS = 3 * ReferenceCounts.REGION_CLUSTERS + 100;

    @Test
    void countsAreExactPastSixBitsAndAcrossRegions() throws UnsupportedImageException {
        long seed = Long.getLong("cowherd.seed", 1);
        Random random = new Random(seed);
        ReferenceCounts counts = new ReferenceCounts(CLUSTERS, 64 << 20);
        long[] expected = new long[CLUSTERS];
        for (int i = 0; i < 400; i++) {
            int first = random.nextInt(CLUSTERS);
            int length = random.nextInt(Math.min(CLUSTERS - first, 20_000)) + 1;
            long weight = random.nextInt(20) == 0 ? random.nextLong(1L << 40) : 1 + random.nextInt(3);
            counts.add(first, length, weight, 0);
            for (int j = first; j < first + length; j++) {
                expected[j] += weight;
            }
        }
        for (int i = 0; i < CLUSTERS; i++) {
            assertThat(counts.get(i)).as("cluster %d, seed %d", i, seed).isEqualTo(expected[i]);
        }
    }

    @Test
    void noReferenceIsLostBetweenThreads() throws InterruptedException {
        ReferenceCounts counts = new ReferenceCounts(CLUSTERS, 64 << 20);
        AtomicReference<Throwable> failure = new AtomicReference<>();
        List<Thread> threads = new ArrayList<>();
        for (int t = 0; t < 4; t++) {
            threads.add(Thread.ofPlatform().start(() -> {
                try {
                    for (int i = 0; i < 50; i++) {
                        counts.add(0, CLUSTERS, 1, i % 2 == 0 ? ReferenceCounts.COPIED : 0);
                    }
                } catch (UnsupportedImageException e) {
                    failure.set(e);
                }
            }));
        }
        for (Thread thread : threads) {
            thread.join();
        }
        assertThat(failure.get()).isNull();
        for (int i = 0; i < CLUSTERS; i++) {
            assertThat(counts.get(i)).isEqualTo(200);
        }
    }

    @Test
    void aReferenceThatNeedsMoreMemoryThanAllowedIsRefused() throws UnsupportedImageException {
        ReferenceCounts counts = new ReferenceCounts(CLUSTERS, 2 * ReferenceCounts.REGION_CLUSTERS);
        counts.add(0, 1, 1, 0);
        counts.add(ReferenceCounts.REGION_CLUSTERS, 1, 1, 0);
        assertThatThrownBy(() -> counts.add(2 * ReferenceCounts.REGION_CLUSTERS, 1, 1, 0))
                .isInstanceOf(UnsupportedImageException.class)
                .hasMessageContaining("memory");
    }

    @Test
    void judgesCountsAndFlagsByRefcounts() throws UnsupportedImageException {
        ReferenceCounts counts = new ReferenceCounts(CLUSTERS, 64 << 20);
        counts.add(0, 2, 1, ReferenceCounts.COPIED);
        counts.add(2, 1, 70, ReferenceCounts.NOT_COPIED);
        ReferenceCounts.Region region = Objects.requireNonNull(counts.regionAt(0));
        assertThat(region.judge(new long[] {1, 1, 70}, 3)).isZero();
        assertThat(region.judge(new long[] {1, 1, 71}, 3)).isEqualTo(ReferenceCounts.DIFFERS);
        assertThat(region.judge(new long[] {1, 2, 70}, 3))
                .isEqualTo(ReferenceCounts.DIFFERS | ReferenceCounts.COPIED_WRONG);
        assertThat(region.judge(new long[] {1, 1, 1}, 3))
                .isEqualTo(ReferenceCounts.DIFFERS | ReferenceCounts.COPIED_WRONG);
    }
}
