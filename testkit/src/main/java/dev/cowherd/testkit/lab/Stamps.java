package dev.cowherd.testkit.lab;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * Sectors of 512 bytes that say whose they are: every word depends on the sector's number and on the stamp of the write, so that
 * bytes at a wrong address, old bytes and mixtures are told apart.
 *
 * <p>Stamp 0 is a sector of zeros. The words repeat every 64 bytes, so that sectors compress. No state.
 */
public final class Stamps {
    /** Bytes of a sector. */
    public static final int SECTOR = 512;

    /** What {@link #find} answers for bytes that are neither zeros nor of that sector. */
    static final long NOT_OURS = -1;

    private static final int WORDS = SECTOR / Long.BYTES;
    private static final long MAGIC = 0x434f574845524421L;
    private static final ValueLayout.OfLong WORD = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private Stamps() {}

    /**
     * Fills whole sectors.
     *
     * @param offset the guest offset of the first byte, a multiple of 512
     * @param bytes to be filled, whole sectors
     * @param stamp whose they are; 0 for zeros
     */
    public static void fill(long offset, MemorySegment bytes, long stamp) {
        for (long at = 0; at < bytes.byteSize(); at += SECTOR) {
            long sector = (offset + at) / SECTOR;
            for (int i = 0; i < WORDS; i++) {
                bytes.set(WORD, at + (long) i * Long.BYTES, stamp == 0 ? 0 : word(sector, stamp, i));
            }
        }
    }

    private static long word(long sector, long stamp, int index) {
        return switch (index) {
            case 0 -> MAGIC;
            case 1 -> sector;
            case 2 -> stamp;
            default -> {
                long mixed = (sector * 0x9e3779b97f4a7c15L ^ stamp * 0xc2b2ae3d27d4eb4fL) + (index & 7);
                mixed = (mixed ^ mixed >>> 31) * 0xbf58476d1ce4e5b9L;
                yield mixed ^ mixed >>> 29;
            }
        };
    }

    /** Whose a sector is: its stamp, 0 for zeros, or {@link #NOT_OURS}. */
    static long find(long sector, MemorySegment bytes, long at) {
        long stamp = bytes.get(WORD, at) == MAGIC ? bytes.get(WORD, at + 2 * Long.BYTES) : 0;
        return mismatch(sector, stamp, bytes, at) < 0 ? stamp : NOT_OURS;
    }

    private static int mismatch(long sector, long stamp, MemorySegment bytes, long at) {
        for (int i = 0; i < WORDS; i++) {
            if (bytes.get(WORD, at + (long) i * Long.BYTES) != (stamp == 0 ? 0 : word(sector, stamp, i))) {
                return i;
            }
        }
        return -1;
    }

    /** Whether each byte is that of one of several stamps: what a read may see while the host's memory changes under it. */
    static boolean isMixtureOf(long sector, MemorySegment bytes, long at, long[] stamps) {
        for (int i = 0; i < SECTOR; i++) {
            boolean known = false;
            for (long stamp : stamps) {
                long word = stamp == 0 ? 0 : word(sector, stamp, i / Long.BYTES);
                known |= bytes.get(ValueLayout.JAVA_BYTE, at + i) == (byte) (word >>> (8 * (i % Long.BYTES)));
            }
            if (!known) {
                return false;
            }
        }
        return true;
    }

    /** Bytes that are not a sector's own, in words. */
    static String describe(MemorySegment bytes, long at) {
        if (bytes.get(WORD, at) != MAGIC) {
            StringBuilder text = new StringBuilder("bytes that nobody wrote so:");
            for (int i = 0; i < 4; i++) {
                text.append(' ').append(Long.toHexString(bytes.get(WORD, at + (long) i * Long.BYTES)));
            }
            return text.toString();
        }
        long sector = bytes.get(WORD, at + Long.BYTES);
        long stamp = bytes.get(WORD, at + 2 * Long.BYTES);
        int differs = mismatch(sector, stamp, bytes, at);
        String whose = "stamp " + stamp + " of sector " + sector;
        return differs < 0
                ? "foreign bytes: " + whose
                : "a mixture: begins as " + whose + ", but byte " + differs * Long.BYTES + " is of another write";
    }
}
