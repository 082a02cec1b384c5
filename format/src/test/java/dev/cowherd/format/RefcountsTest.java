package dev.cowherd.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import java.math.BigInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Refcounts of every width are read and written in their place and touch no other. */
class RefcountsTest {
    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 3, 4, 5, 6})
    void whatIsSetIsReadAndTheOthersStay(int order) {
        Cases.run(100, random -> {
            int count = (64 * 8) >> order;
            long mask = order == 6 ? -1 : (1L << (1 << order)) - 1;
            MemorySegment block = MemorySegment.ofArray(new byte[64]);
            long[] expected = new long[count];
            for (int i = 0; i < 200; i++) {
                int at = random.nextInt(count);
                expected[at] = random.nextLong() & mask;
                Refcounts.set(block, at, order, expected[at]);
            }
            for (int i = 0; i < count; i++) {
                assertThat(Refcounts.get(block, i, order)).isEqualTo(expected[i]);
            }
        });
    }

    @Test
    void narrowOnesStartAtTheLowestBitsAndWideOnesAreBigEndian() {
        byte[] bytes = {(byte) 0b1101_0010, 0x34, 0x56, 0x78, (byte) 0x9a, (byte) 0xbc, (byte) 0xde, (byte) 0xf0};
        MemorySegment block = MemorySegment.ofArray(bytes);
        assertThat(new long[] {Refcounts.get(block, 0, 0), Refcounts.get(block, 1, 0), Refcounts.get(block, 7, 0)})
                .containsExactly(0, 1, 1);
        assertThat(new long[] {Refcounts.get(block, 0, 1), Refcounts.get(block, 3, 1)})
                .containsExactly(2, 3);
        assertThat(new long[] {Refcounts.get(block, 0, 2), Refcounts.get(block, 1, 2)})
                .containsExactly(2, 13);
        assertThat(Refcounts.get(block, 0, 3)).isEqualTo(0xd2);
        assertThat(Refcounts.get(block, 0, 4)).isEqualTo(0xd234);
        assertThat(Refcounts.get(block, 1, 4)).isEqualTo(0x5678);
        assertThat(Refcounts.get(block, 0, 5)).isEqualTo(0xd2345678L);
        assertThat(Refcounts.get(block, 0, 6)).isEqualTo(new BigInteger("d23456789abcdef0", 16).longValue());
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 3, 4, 5})
    void aValueThatDoesNotFitIsRefused(int order) {
        MemorySegment block = MemorySegment.ofArray(new byte[8]);
        assertThatThrownBy(() -> Refcounts.set(block, 0, order, 1L << (1 << order)))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> Refcounts.get(block, 64 >> order, order))
                .isInstanceOf(IndexOutOfBoundsException.class);
    }
}
