package dev.cowherd.testkit.lab;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.BiConsumer;

/**
 * Bytes of a file in pages that copies share until one of them writes: a copy costs a pointer a page, so thousands of crash states of
 * one image are cheap. For one thread at a time.
 */
final class Pages {
    /** Bytes of a page. */
    static final int PAGE = 4096;

    private static final long MAX_BYTES = 1L << 30;
    private static final byte[] HOLE = new byte[PAGE];

    private byte[][] pages;
    private boolean[] owned;
    private long sizeBytes;

    Pages() {
        this(new byte[0][], 0);
    }

    private Pages(byte[][] pages, long sizeBytes) {
        this.pages = pages;
        this.owned = new boolean[pages.length];
        this.sizeBytes = sizeBytes;
    }

    /** The same bytes, independent from now on. */
    Pages copy() {
        Arrays.fill(owned, false);
        return new Pages(pages.clone(), sizeBytes);
    }

    long sizeBytes() {
        return sizeBytes;
    }

    /** Bytes of the pages that are not holes. */
    long allocatedBytes() {
        long allocated = 0;
        for (int i = 0; i < pages.length; i++) {
            allocated += isHole(i) ? 0 : PAGE;
        }
        return allocated;
    }

    /** Whether the page that a byte lies in takes space. */
    boolean isData(long at) {
        return !isHole((int) (at / PAGE));
    }

    @SuppressWarnings("ReferenceEquality") // The one page that is no page.
    private boolean isHole(int index) {
        return pages[index] == HOLE;
    }

    /** Copies bytes out; the range lies inside the size. */
    void read(long at, MemorySegment to, long toOffset, long length) {
        for (long done = 0; done < length; ) {
            int place = (int) ((at + done) % PAGE);
            int now = (int) Math.min(PAGE - place, length - done);
            byte[] page = pages[(int) ((at + done) / PAGE)];
            MemorySegment.copy(page, place, to, ValueLayout.JAVA_BYTE, toOffset + done, now);
            done += now;
        }
    }

    /** Some bytes as they are now, none longer than a page and none across pages. Whole pages are shared, not copied. */
    static final class Piece {
        final long at;
        final byte[] bytes;

        private Piece(long at, byte[] bytes) {
            this.at = at;
            this.bytes = bytes;
        }
    }

    /** The bytes of a range as they are now; the range lies inside the size. */
    List<Piece> pieces(long at, long length) {
        List<Piece> pieces = new ArrayList<>((int) (length / PAGE) + 2);
        eachPage(at, length, (index, span) -> {
            byte[] bytes = pages[index];
            if (span[1] == PAGE) {
                owned[index] = false;
            } else {
                bytes = Arrays.copyOfRange(bytes, span[0], span[0] + span[1]);
            }
            pieces.add(new Piece((long) index * PAGE + span[0], bytes));
        });
        return pieces;
    }

    /** Puts a piece where it was; the size grows to hold it. */
    void put(Piece piece) {
        if (piece.bytes.length == PAGE) {
            grow(piece.at + PAGE);
            int index = (int) (piece.at / PAGE);
            pages[index] = piece.bytes;
            owned[index] = false;
        } else {
            write(piece.at, MemorySegment.ofArray(piece.bytes));
        }
    }

    /** Copies bytes in; the size grows to hold them. */
    void write(long at, MemorySegment from) {
        long length = from.byteSize();
        grow(at + length);
        eachPage(at, length, (index, span) -> {
            byte[] page = own(index);
            MemorySegment.copy(from, ValueLayout.JAVA_BYTE, (long) index * PAGE + span[0] - at, page, span[0], span[1]);
        });
    }

    /** Zeros a range up to the size; whole pages become holes, or stay where they are kept. */
    void zero(long at, long length, boolean keep) {
        long inside = Math.min(length, sizeBytes - at);
        eachPage(at, inside, (index, span) -> {
            if (span[1] == PAGE && !keep) {
                pages[index] = HOLE;
                owned[index] = false;
            } else if (keep || !isHole(index)) {
                Arrays.fill(own(index), span[0], span[0] + span[1], (byte) 0);
            }
        });
    }

    /** Makes the size at least so large. */
    void grow(long bytes) {
        if (bytes > sizeBytes) {
            resize(bytes);
        }
    }

    /** Cuts, or grows with holes. */
    void resize(long bytes) {
        if (bytes > MAX_BYTES) {
            throw new IllegalArgumentException("a simulated disk of " + bytes + " bytes is too large");
        }
        if (bytes < sizeBytes) {
            zero(bytes, sizeBytes - bytes, false);
        }
        int count = (int) Math.ceilDiv(bytes, PAGE);
        int before = pages.length;
        if (count != before) {
            pages = Arrays.copyOf(pages, count);
            owned = Arrays.copyOf(owned, count);
            for (int i = before; i < count; i++) {
                pages[i] = HOLE;
            }
        }
        sizeBytes = bytes;
    }

    private byte[] own(int index) {
        if (!owned[index]) {
            pages[index] = pages[index].clone();
            owned[index] = true;
        }
        return pages[index];
    }

    /** Calls with each page's index and where in the page the range begins and how long it is there. */
    private static void eachPage(long at, long length, BiConsumer<Integer, int[]> visit) {
        for (long done = 0; done < length; ) {
            int place = (int) ((at + done) % PAGE);
            int now = (int) Math.min(PAGE - place, length - done);
            visit.accept((int) ((at + done) / PAGE), new int[] {place, now});
            done += now;
        }
    }
}
