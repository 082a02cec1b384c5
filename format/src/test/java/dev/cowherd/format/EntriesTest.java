package dev.cowherd.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

/** The words of L1, L2 and bitmap tables: what is put in comes out, and every bit has one meaning. */
class EntriesTest {
    @Test
    void anL1EntryIsItsOffsetItsFlagAndReservedBits() {
        Cases.run(1000, random -> {
            long word = random.nextLong();
            long offset = L1Entry.l2Offset(word);
            assertThat(L1Entry.of(offset, L1Entry.copied(word)) | L1Entry.reserved(word))
                    .isEqualTo(word);
            assertThat(offset % 512).isZero();
        });
        assertThat(L1Entry.reserved(-1)).isEqualTo(0x7f00_0000_0000_01ffL);
    }

    @Test
    void aStandardL2EntryIsItsOffsetItsFlagsAndReservedBits() {
        Geometry plain = new Geometry(16, false, 4);
        Geometry extended = new Geometry(16, true, 4);
        Cases.run(1000, random -> {
            long word = random.nextLong() & ~L2Entry.COMPRESSED;
            assertThat(L2Entry.isCompressed(word)).isFalse();
            long offset = L2Entry.hostOffset(word);
            assertThat(L2Entry.standard(offset, L2Entry.copied(word), L2Entry.isZeroFlag(word))
                            | L2Entry.reserved(word, plain))
                    .isEqualTo(word);
            assertThat(L2Entry.standard(offset, L2Entry.copied(word), false) | L2Entry.reserved(word, extended))
                    .isEqualTo(word);
        });
        assertThat(L2Entry.reserved(~L2Entry.COMPRESSED, plain)).isEqualTo(0x3f00_0000_0000_01feL);
        assertThat(L2Entry.reserved(~L2Entry.COMPRESSED, extended)).isEqualTo(0x3f00_0000_0000_01ffL);
    }

    @Test
    void offsetZeroIsAllocatedOnlyInAnExternalDataFileAndByItsCopiedFlag() {
        assertThat(L2Entry.isAllocated(0, false)).isFalse();
        assertThat(L2Entry.isAllocated(0, true)).isFalse();
        assertThat(L2Entry.isAllocated(L2Entry.COPIED, false)).isFalse();
        assertThat(L2Entry.isAllocated(L2Entry.COPIED, true)).isTrue();
        assertThat(L2Entry.isAllocated(0x10000, false)).isTrue();
    }

    @Test
    void aCompressedEntryKeepsOffsetAndLengthToTheEndOfTheLastSector() {
        Cases.run(5000, random -> {
            int bits = 9 + random.nextInt(13);
            long offset = random.nextLong() >>> (bits - 6 + random.nextInt(20));
            int bytes = 1 + random.nextInt(1 << bits);
            long word = L2Entry.compressed(offset, bytes, bits);
            assertThat(L2Entry.isCompressed(word)).isTrue();
            assertThat(L2Entry.reserved(word, new Geometry(bits, false, 4))).isZero();
            assertThat(L2Entry.compressedHostOffset(word, bits)).isEqualTo(offset);
            int held = L2Entry.compressedBytes(word, bits);
            assertThat((offset + held) % 512).isZero();
            assertThat(held).isBetween(bytes, bytes + 511);
        });
    }

    @Test
    void compressedEntriesAtTheEndsOfEveryField() {
        // 64 KiB clusters: 54 bits of offset, 8 bits of sectors. 512 B clusters: 61 bits and 1 bit.
        assertThat(L2Entry.compressedHostOffset(-1, 16)).isEqualTo((1L << 54) - 1);
        assertThat(L2Entry.compressedBytes(-1, 16)).isEqualTo(256 * 512 - 511);
        assertThat(L2Entry.compressedHostOffset(-1, 9)).isEqualTo((1L << 61) - 1);
        assertThat(L2Entry.compressedBytes(-1, 9)).isEqualTo(2 * 512 - 511);
        assertThat(L2Entry.compressedBytes(-1, 21)).isEqualTo(8192 * 512 - 511);
        assertThat(L2Entry.compressedBytes(L2Entry.COMPRESSED, 16)).isEqualTo(512);
        assertThatThrownBy(() -> L2Entry.compressed(1L << 54, 1, 16)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> L2Entry.compressed(0, 65537, 16)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void subclusterRunsAreThoseOfALoopOverTheBits() {
        Cases.run(5000, random -> {
            long bitmap = random.nextLong() & (random.nextBoolean() ? random.nextLong() : -1L << random.nextInt(64));
            int from = random.nextInt(32);
            int run = 0;
            while (from + run < 32
                    && Subclusters.allocated(bitmap, from + run) == Subclusters.allocated(bitmap, from)
                    && Subclusters.zero(bitmap, from + run) == Subclusters.zero(bitmap, from)) {
                run++;
            }
            assertThat(Subclusters.runLength(bitmap, from)).isEqualTo(run);
            long both = 0;
            for (int i = 0; i < 32; i++) {
                both |= Subclusters.allocated(bitmap, i) && Subclusters.zero(bitmap, i) ? 1L << i : 0;
            }
            assertThat(Subclusters.invalid(bitmap)).isEqualTo(both);
        });
        for (long bitmap : new long[] {0, -1, Subclusters.ALL_ALLOCATED, Subclusters.ALL_ZERO}) {
            assertThat(Subclusters.runLength(bitmap, 0)).isEqualTo(32);
            assertThat(Subclusters.runLength(bitmap, 31)).isEqualTo(1);
        }
    }

    @Test
    void aRefcountTableEntryIsAnOffsetAndReservedBits() {
        Cases.run(1000, random -> {
            long word = random.nextLong();
            assertThat(RefcountTableEntry.blockOffset(word) | RefcountTableEntry.reserved(word))
                    .isEqualTo(word);
        });
        assertThat(RefcountTableEntry.reserved(-1)).isEqualTo(511);
    }

    @Test
    void aBitmapTableEntryHasAnOffsetOrOneBit() {
        assertThat(BitmapTableEntry.hostOffset(0x50000)).isEqualTo(0x50000);
        assertThat(BitmapTableEntry.reserved(0x50000)).isZero();
        assertThat(BitmapTableEntry.reserved(0x50001)).isEqualTo(1);
        assertThat(BitmapTableEntry.reserved(1)).isZero();
        assertThat(BitmapTableEntry.allOnes(1)).isTrue();
        assertThat(BitmapTableEntry.allOnes(0)).isFalse();
        assertThat(BitmapTableEntry.reserved(-1)).isEqualTo(0xff00_0000_0000_01ffL);
        assertThat(BitmapTableEntry.reserved(0xff00_0000_0000_01ffL)).isEqualTo(0xff00_0000_0000_01feL);
    }
}
