package dev.cowherd.metadata;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The bits in memory are those of a plain set of bits, also when many threads set them and when the disk's size changes. */
class DirtyBitsTest {
    private static final int GRANULARITY_BITS = 9;

    private static BitSet bitsOf(DirtyBits bits, long diskBytes, int clusterBytes) {
        BitSet all = new BitSet();
        byte[] content = new byte[clusterBytes];
        long clusters = (DirtyBits.mostBytes(diskBytes, GRANULARITY_BITS) + clusterBytes - 1) / clusterBytes;
        int perCluster = clusterBytes * Byte.SIZE;
        for (int i = 0; i < clusters; i++) {
            int first = i * perCluster;
            switch (bits.store(i, content)) {
                case ZEROS -> {}
                case ONES -> all.set(first, first + perCluster);
                case MIXED -> BitSet.valueOf(content).stream().forEach(bit -> all.set(first + bit));
            }
        }
        return all;
    }

    @ParameterizedTest
    @ValueSource(ints = {512, 4096})
    void marksAndSizesAreThoseOfAPlainSet(int clusterBytes) {
        for (long seed = 1; seed <= 200; seed++) {
            SplittableRandom random = new SplittableRandom(seed);
            long size = 1 + random.nextLong(12L << 20);
            DirtyBits bits = new DirtyBits(size, GRANULARITY_BITS);
            BitSet expected = new BitSet();
            for (int i = 0; i < 30; i++) {
                if (random.nextInt(8) == 0) {
                    size = 1 + random.nextLong(12L << 20);
                    bits.resize(size);
                    int count = (int) ((size + 511) / 512);
                    expected.clear(count, Math.max(count, expected.length()));
                } else if (random.nextInt(20) == 0) {
                    bits.markAll();
                    expected.set(0, (int) ((size + 511) / 512));
                } else {
                    long at = random.nextLong(12L << 20);
                    long length = 1 + random.nextLong(random.nextInt(4) == 0 ? 12 << 20 : 8192);
                    bits.mark(at, length);
                    long end = Math.min(at + length, size);
                    if (at < end) {
                        expected.set((int) (at / 512), (int) ((end - 1) / 512) + 1);
                    }
                }
                assertThat(bitsOf(bits, size, clusterBytes))
                        .as("seed %d, step %d", seed, i)
                        .isEqualTo(expected);
            }
            assertReloads(bits, expected, size, clusterBytes);
        }
    }

    /** What was stored and is loaded again is the same, whatever lies past the disk's end on the host. */
    private static void assertReloads(DirtyBits bits, BitSet expected, long size, int clusterBytes) {
        DirtyBits again = new DirtyBits(size, GRANULARITY_BITS);
        byte[] content = new byte[clusterBytes];
        long count = (size + 511) / 512;
        int clusters = (int) ((count + clusterBytes * 8L - 1) / (clusterBytes * 8L));
        for (int i = 0; i < clusters; i++) {
            switch (bits.store(i, content)) {
                case ZEROS -> {}
                case ONES -> again.loadOnes(i, clusterBytes);
                case MIXED -> {
                    int within = i == clusters - 1 ? (int) (count - 8L * i * clusterBytes) : clusterBytes * 8;
                    BitSet dirt = BitSet.valueOf(content);
                    dirt.set(within, clusterBytes * 8);
                    byte[] bytes = java.util.Arrays.copyOf(dirt.toByteArray(), clusterBytes);
                    again.load(i, bytes);
                }
            }
        }
        assertThat(bitsOf(again, size, clusterBytes)).isEqualTo(expected);
    }

    @Test
    void noMarkOfManyThreadsIsLost() throws Exception {
        int threads = 4;
        long size = 8L << 20;
        for (int round = 0; round < 20; round++) {
            DirtyBits bits = new DirtyBits(size, GRANULARITY_BITS);
            try (ExecutorService pool = Executors.newFixedThreadPool(threads)) {
                List<Future<?>> running = new ArrayList<>();
                for (int t = 0; t < threads; t++) {
                    int mine = t;
                    running.add(pool.submit(() -> {
                        for (long granule = mine; granule < size / 512; granule += threads) {
                            bits.mark(granule * 512, 1);
                        }
                    }));
                }
                for (Future<?> one : running) {
                    one.get();
                }
            }
            assertThat(bitsOf(bits, size, 4096).cardinality()).isEqualTo((int) (size / 512));
        }
    }

    @Test
    void aDiskOfEightExbibytesCostsWhatIsWritten() {
        DirtyBits bits = new DirtyBits(Long.MAX_VALUE / 512 * 512, 31);
        bits.mark(Long.MAX_VALUE / 512 * 512 - 512, 512);
        bits.mark(Long.MAX_VALUE - 10, 100);
        bits.mark(0, 1);
        byte[] content = new byte[1 << 21];
        int mixed = 0;
        for (int i = 0; i < 256; i++) {
            mixed += bits.store(i, content) == DirtyBits.Content.MIXED ? 1 : 0;
        }
        assertThat(mixed).isEqualTo(2);
    }
}
