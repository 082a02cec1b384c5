package dev.cowherd.metadata;

import java.io.IOException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import org.jspecify.annotations.Nullable;

/**
 * Finds the L2 slices of one image that are in memory, by their number: guest offset divided by what a slice maps. Two levels, an
 * array of pages and pages of slots, so a hit is a few dependent loads with acquire semantics: no hash, no lock, no counter.
 *
 * <p>A slot is empty, holds a {@link SliceLoad} while one queue reads the slice, or the {@link Slice}. Slots change under their page's
 * monitor, which nobody holds across I/O. A page without slices is given back.
 */
final class SliceIndex {
    private static final VarHandle ELEMENTS = MethodHandles.arrayElementVarHandle(Object[].class);

    /** Reads a slice from the host. */
    interface Loader {
        Slice load(long number) throws IOException;
    }

    /** A run of slots. All fields but the slots' contents are guarded by the page's monitor. */
    private static final class Page {
        final Object[] slots;
        int filled;
        /** Out of the index: to be looked up again. */
        boolean dead;

        Page(int slots) {
            this.slots = new Object[slots];
        }
    }

    private final SliceCache cache;
    private final Object[] pages;
    private final int pageBits;

    /**
     * Creates an empty index.
     *
     * @param cache keeps the budget
     * @param slices how many slices the image can have; one reference is kept for every {@code 2^pageBits}
     */
    SliceIndex(SliceCache cache, long slices, int pageBits) {
        this.cache = cache;
        this.pageBits = pageBits;
        this.pages = new Object[Math.toIntExact((slices >>> pageBits) + 1)];
    }

    /** The slice if it is in memory, else null; for one, if it lies beyond the L1 table of a disk that is larger than that. */
    @Nullable
    Slice cached(long number) {
        long pageNumber = number >>> pageBits;
        if (pageNumber >= pages.length) {
            return null;
        }
        Page page = (Page) ELEMENTS.getAcquire(pages, (int) pageNumber);
        if (page == null) {
            return null;
        }
        Object found = ELEMENTS.getAcquire(page.slots, slot(number));
        if (found instanceof Slice slice) {
            slice.touch();
            return slice;
        }
        return null;
    }

    /**
     * The slice, loaded by this thread if nobody has it or is at it.
     *
     * @throws IOException what stopped the load, here or in the queue that was at it; the next call tries again
     */
    Slice get(long number, Loader loader) throws IOException {
        while (true) {
            Page page = page(number);
            Object found;
            SliceLoad mine = null;
            synchronized (page) {
                if (page.dead) {
                    continue;
                }
                found = page.slots[slot(number)];
                if (found == null) {
                    mine = new SliceLoad();
                    put(page, number, mine);
                }
            }
            if (mine != null) {
                return load(page, number, mine, loader);
            }
            if (found instanceof Slice slice) {
                slice.touch();
                return slice;
            }
            if (found instanceof SliceLoad theirs) {
                return theirs.await(cache.waits(), number);
            }
        }
    }

    private Slice load(Page page, long number, SliceLoad mine, Loader loader) throws IOException {
        Slice slice;
        try {
            slice = loader.load(number);
        } catch (Throwable e) {
            remove(page, number, mine);
            mine.fail(e);
            throw e;
        }
        synchronized (page) {
            ELEMENTS.setRelease(page.slots, slot(number), slice);
        }
        mine.succeed(slice);
        cache.admit(slice);
        return slice;
    }

    /** Forgets an evicted slice. Who holds it may go on using it. */
    void evict(Slice slice) {
        Page page = (Page) ELEMENTS.getAcquire(pages, (int) (slice.number >>> pageBits));
        if (page != null) {
            remove(page, slice.number, slice);
        }
    }

    private Page page(long number) {
        int index = (int) (number >>> pageBits);
        Page page = (Page) ELEMENTS.getAcquire(pages, index);
        if (page != null) {
            return page;
        }
        Page fresh = new Page(1 << pageBits);
        Page witness = (Page) ELEMENTS.compareAndExchange(pages, index, null, fresh);
        return witness == null ? fresh : witness;
    }

    private void put(Page page, long number, SliceLoad load) {
        ELEMENTS.setRelease(page.slots, slot(number), load);
        page.filled++;
    }

    /** Identity is meant: another load or slice in the slot is somebody else's. */
    @SuppressWarnings("ReferenceEquality")
    private void remove(Page page, long number, Object expected) {
        synchronized (page) {
            if (page.slots[slot(number)] != expected) {
                return;
            }
            ELEMENTS.setRelease(page.slots, slot(number), null);
            page.filled--;
            if (page.filled == 0) {
                page.dead = true;
                ELEMENTS.setRelease(pages, (int) (number >>> pageBits), null);
            }
        }
    }

    private int slot(long number) {
        return (int) number & (1 << pageBits) - 1;
    }
}
