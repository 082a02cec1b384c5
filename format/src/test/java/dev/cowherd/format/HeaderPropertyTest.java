package dev.cowherd.format;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.util.BitSet;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Decoding and encoding a header are inverse to each other, on valid and on mutated images. */
class HeaderPropertyTest {
    @Test
    void decodingWhatWasEncodedGivesTheSameHeader() {
        Cases.run(1000, random -> {
            RandomHeader made = RandomHeader.of(random);
            Header decoded = Header.decode(made.firstCluster(), made.fileBytes());
            assertThat(decoded).isEqualTo(made.header());
            assertThat(decoded.encode()).isEqualTo(made.header().encode());
        });
    }

    @Test
    void theBytesNeededAreEnoughAndFoundInTwoSteps() {
        Cases.run(1000, random -> {
            RandomHeader made = RandomHeader.of(random);
            ByteBuffer first = made.firstCluster();
            ByteBuffer prefix = first.slice(0, Math.min(first.limit(), Header.PREFIX_BYTES + random.nextInt(500)));
            int needed = Header.bytesNeeded(prefix, made.fileBytes());
            assertThat(needed).isLessThanOrEqualTo(first.limit());
            if (needed > prefix.limit()) {
                prefix = first.slice(0, needed);
            }
            assertThat(Header.bytesNeeded(prefix, made.fileBytes())).isLessThanOrEqualTo(prefix.limit());
            assertThat(Header.decode(prefix, made.fileBytes())).isEqualTo(made.header());
        });
    }

    @Test
    void mutatedBytesAreRefusedByTypeOrEncodeBackUnchanged() {
        int[] decoded = {0};
        Cases.run(10_000, random -> {
            RandomHeader made = RandomHeader.of(random);
            ByteBuffer bytes = made.firstCluster();
            mutate(random, bytes, made.header().encode().limit());
            Header header;
            try {
                bytes = withAllNeeded(bytes, made.fileBytes());
                header = Header.decode(bytes, made.fileBytes());
            } catch (ImageFormatException e) {
                assertThat(e.getMessage()).isNotBlank().doesNotContainPattern("\\p{Cntrl}");
                return;
            }
            decoded[0]++;
            ByteBuffer encoded = header.encode();
            BitSet meaning = meaning(bytes);
            for (int i = meaning.nextSetBit(0); i >= 0; i = meaning.nextSetBit(i + 1)) {
                assertThat(encoded.get(i)).as("byte %d", i).isEqualTo(bytes.get(i));
            }
            ByteBuffer again =
                    ByteBuffer.allocate(bytes.limit()).put(encoded.duplicate()).rewind();
            assertThat(Header.decode(again, made.fileBytes())).isEqualTo(header);
        });
        assertThat(decoded[0]).as("mutated headers that are still valid").isGreaterThan(200);
    }

    /** What a caller reads: a mutated cluster size may let the header go on in what was the second cluster, here zeros. */
    private static ByteBuffer withAllNeeded(ByteBuffer bytes, long fileBytes) throws ImageFormatException {
        ByteBuffer enough = bytes;
        int needed = Header.bytesNeeded(enough, fileBytes);
        while (needed > enough.limit()) {
            enough = ByteBuffer.allocate(needed).put(enough.duplicate()).rewind();
            needed = Header.bytesNeeded(enough, fileBytes);
        }
        return enough;
    }

    private static void mutate(Random random, ByteBuffer bytes, int length) {
        for (int i = 1 + random.nextInt(3); i > 0; i--) {
            int at = random.nextInt(length);
            switch (random.nextInt(4)) {
                case 0 -> bytes.put(at, (byte) random.nextInt());
                case 1 -> bytes.put(at, (byte) (bytes.get(at) ^ (1 << random.nextInt(8))));
                case 2 -> bytes.putInt(at & -4, random.nextInt(-300, 300));
                case 3 -> bytes.putInt(at & -4, random.nextBoolean() ? Integer.MAX_VALUE : Integer.MIN_VALUE);
                default -> throw new AssertionError();
            }
        }
    }

    /** The bytes that mean something: header, extensions without padding, the end mark's type, the backing file's name. */
    private static BitSet meaning(ByteBuffer bytes) {
        BitSet meaning = new BitSet();
        int at = bytes.getInt(4) == 2 ? 72 : bytes.getInt(100);
        meaning.set(0, at);
        int nameAt = (int) bytes.getLong(8);
        int limit = nameAt == 0 ? 1 << bytes.getInt(20) : nameAt;
        while (at < limit) {
            meaning.set(at, at + 4);
            if (bytes.getInt(at) == 0) {
                break;
            }
            int length = bytes.getInt(at + 4);
            meaning.set(at, at + 8 + length);
            at += 8 + ((length + 7) & -8);
        }
        if (nameAt != 0) {
            meaning.set(nameAt, nameAt + bytes.getInt(16));
        }
        return meaning;
    }
}
