package dev.cowherd.metadata;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * The bits of one bitmap in memory: which granules of the disk were written. Pages of bits are there only where a bit is set, and one
 * page stands for all that are full, so memory follows what was written and not what an image claims.
 *
 * <p>{@link #mark} may be called by any number of threads at once and takes no lock; where the bits are set already it writes nothing, so an
 * overwrite costs a look. Everything else, and reading, is done while no request is in flight.
 */
final class DirtyBits {
    /** Divides the size of every cluster. */
    static final int PAGE_BYTES = 512;

    private static final int WORDS = PAGE_BYTES / Long.BYTES;
    private static final int PAGE_BITS = PAGE_BYTES * Byte.SIZE;
    private static final VarHandle PAGE = MethodHandles.arrayElementVarHandle(Object[].class);
    private static final VarHandle WORD = MethodHandles.arrayElementVarHandle(long[].class);
    private static final long[] FULL = new long[WORDS];

    static {
        Arrays.fill(FULL, -1);
    }

    private final int granularityBits;
    private volatile Bits bits;

    /** The pages for a disk of one size; bits past its end are 0. */
    private static final class Bits {
        final long diskBytes;
        final long count;
        final Object[] pages;

        Bits(long diskBytes, long count, Object[] pages) {
            this.diskBytes = diskBytes;
            this.count = count;
            this.pages = pages;
        }

        static Bits none(long diskBytes, int granularityBits) {
            long count = granules(diskBytes, granularityBits);
            return new Bits(diskBytes, count, new Object[Math.toIntExact((count + PAGE_BITS - 1) / PAGE_BITS)]);
        }
    }

    /** No bit is set. */
    DirtyBits(long diskBytes, int granularityBits) {
        this.granularityBits = granularityBits;
        this.bits = Bits.none(diskBytes, granularityBits);
    }

    private static long granules(long bytes, int granularityBits) {
        return (bytes >>> granularityBits) + ((bytes & ((1L << granularityBits) - 1)) == 0 ? 0 : 1);
    }

    int granularityBits() {
        return granularityBits;
    }

    /** How many bytes the bits of a disk take if every page is there. */
    static long mostBytes(long diskBytes, int granularityBits) {
        return (granules(diskBytes, granularityBits) + Byte.SIZE - 1) / Byte.SIZE;
    }

    /** Sets the bits of what a request touches; what lies past the disk's end has none. */
    void mark(long at, long length) {
        Bits now = bits;
        long end = length <= now.diskBytes - at ? at + length : now.diskBytes;
        if (at >= end) {
            return;
        }
        long last = (end - 1) >>> granularityBits;
        for (long bit = at >>> granularityBits; bit <= last; ) {
            long until = Math.min(last, bit | (Long.SIZE - 1));
            set(now.pages, bit / Long.SIZE, (-1L << bit) & (-1L >>> ~until));
            bit = until + 1;
        }
    }

    private static void set(Object[] pages, long word, long mask) {
        int index = (int) (word / WORDS);
        long[] page = (long[]) PAGE.getAcquire(pages, index);
        if (page == null) {
            long[] fresh = new long[WORDS];
            page = (long[]) PAGE.compareAndExchange(pages, index, null, fresh);
            page = page == null ? fresh : page;
        }
        int within = (int) (word % WORDS);
        if (((long) WORD.getOpaque(page, within) & mask) != mask) {
            WORD.getAndBitwiseOr(page, within, mask);
        }
    }

    /** Sets every bit. */
    void markAll() {
        Bits now = bits;
        Arrays.fill(now.pages, FULL);
        clearPastEnd(now);
    }

    /** The disk has another size: bits past it are gone, those it grows by are not set. */
    void resize(long diskBytes) {
        Bits now = bits;
        Bits then = Bits.none(diskBytes, granularityBits);
        System.arraycopy(now.pages, 0, then.pages, 0, Math.min(now.pages.length, then.pages.length));
        clearPastEnd(then);
        bits = then;
    }

    private static void clearPastEnd(Bits now) {
        int kept = (int) (now.count % PAGE_BITS);
        if (kept == 0) {
            return;
        }
        int last = now.pages.length - 1;
        long[] page = (long[]) now.pages[last];
        if (page != null) {
            long[] cut = Arrays.copyOf(page, (kept + Long.SIZE - 1) / Long.SIZE);
            cut[cut.length - 1] &= -1L >>> -kept;
            now.pages[last] = Arrays.copyOf(cut, WORDS);
        }
    }

    /** Takes over the bits of one cluster as they are on disk; those past the disk's end do not count. */
    void load(long cluster, byte[] content) {
        Bits now = bits;
        ByteBuffer words = ByteBuffer.wrap(content).order(ByteOrder.LITTLE_ENDIAN);
        long first = cluster * (content.length / PAGE_BYTES);
        for (long index = first; index < now.pages.length && words.hasRemaining(); index++) {
            long[] page = new long[WORDS];
            words.asLongBuffer().get(page);
            words.position(words.position() + PAGE_BYTES);
            now.pages[(int) index] =
                    Arrays.equals(page, FULL) ? FULL : Arrays.equals(page, new long[WORDS]) ? null : page;
        }
        clearPastEnd(now);
    }

    /** Sets all the bits of one cluster. */
    void loadOnes(long cluster, int clusterBytes) {
        Bits now = bits;
        long first = cluster * (clusterBytes / PAGE_BYTES);
        long end = Math.min(first + clusterBytes / PAGE_BYTES, now.pages.length);
        Arrays.fill(now.pages, (int) Math.min(first, end), (int) end, FULL);
        clearPastEnd(now);
    }

    /** How a cluster of bits goes to disk. */
    enum Content {
        ZEROS,
        ONES,
        MIXED
    }

    /** What one cluster of bits holds; where it is mixed, the array is filled with it. */
    @SuppressWarnings("ReferenceEquality") // the full page is one object
    Content store(long cluster, byte[] into) {
        Bits now = bits;
        int clusterBytes = into.length;
        long first = cluster * (clusterBytes / PAGE_BYTES);
        long end = Math.min(first + clusterBytes / PAGE_BYTES, now.pages.length);
        boolean zeros = true;
        boolean ones = true;
        for (long index = first; index < end; index++) {
            Object page = now.pages[(int) index];
            zeros &= page == null;
            ones &= page == FULL;
        }
        if (zeros || ones) {
            return zeros ? Content.ZEROS : Content.ONES;
        }
        ByteBuffer words = ByteBuffer.wrap(into).order(ByteOrder.LITTLE_ENDIAN);
        for (long index = first; index < first + clusterBytes / PAGE_BYTES; index++) {
            long[] page = index < end ? (long[]) now.pages[(int) index] : null;
            for (int i = 0; i < WORDS; i++) {
                words.putLong(page == null ? 0 : page[i]);
            }
        }
        return Content.MIXED;
    }
}
