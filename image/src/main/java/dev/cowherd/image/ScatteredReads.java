package dev.cowherd.image;

import dev.cowherd.metadata.ChainLookup;
import dev.cowherd.metadata.Extent;
import dev.cowherd.metadata.Signal;
import dev.cowherd.metadata.Waits;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * Reads guest bytes that lie in more than one place, for one lane. By system calls one place after the other. On fibers side by side: each
 * has a branch, but for the last, which the request's own fiber reads while it would only wait, and for those beyond what one request may
 * have. None is under way any more when a read returns or throws, for the memory is the caller's again. It throws what reading one after
 * the other would have met first.
 */
final class ScatteredReads {
    private static final int NOTHING = Integer.MAX_VALUE;

    private final ChainLookup lookup;
    private final ExtentReader reader;
    private final @Nullable Branches branches;
    private final Waits waits;

    /** Found and not begun yet: it may turn out to be the last. */
    private @Nullable Extent held;

    private MemorySegment heldPart = MemorySegment.NULL;
    /** Places found so far; the held one is the last of them, and has this number. */
    private int places;

    private int underWay;
    private @Nullable Throwable failure;
    /** Which place failed: the first of those that did. */
    private int failed = NOTHING;

    private @Nullable Signal allEnded;

    /** Branches are null where there are no fibers. */
    ScatteredReads(ChainLookup lookup, ExtentReader reader, @Nullable Branches branches, Waits waits) {
        this.lookup = lookup;
        this.reader = reader;
        this.branches = branches;
        this.waits = waits;
    }

    /** Reads a stretch whose first extent, which ends within it, is known. */
    void read(Extent first, long offset, MemorySegment destination) throws IOException {
        try {
            add(first, destination.asSlice(0, first.length()));
            begin(offset + first.length(), destination.asSlice(first.length()));
        } catch (IOException | RuntimeException | Error e) {
            failed(places + 1, e);
        }
        finish();
    }

    /** Reads two stretches. */
    void readTwo(long offset, MemorySegment destination, long secondOffset, MemorySegment second) throws IOException {
        try {
            begin(offset, destination);
            begin(secondOffset, second);
        } catch (IOException | RuntimeException | Error e) {
            failed(places + 1, e);
        }
        finish();
    }

    private void begin(long offset, MemorySegment destination) throws IOException {
        long length = destination.byteSize();
        for (long done = 0; done < length && failure == null; ) {
            Extent extent = lookup.map(offset + done, length - done);
            add(extent, destination.asSlice(done, extent.length()));
            done += extent.length();
        }
    }

    private void add(Extent extent, MemorySegment part) throws IOException {
        if (branches == null || extent instanceof Extent.Zero) {
            reader.read(extent, part);
            return;
        }
        Extent before = held;
        MemorySegment partBefore = heldPart;
        held = extent;
        heldPart = part;
        if (before != null && !branch(branches, before, partBefore, places)) {
            readHere(before, partBefore, places);
        }
        places++;
    }

    private boolean branch(Branches to, Extent extent, MemorySegment part, int place) {
        if (underWay == Branches.MOST_OF_A_REQUEST) {
            return false;
        }
        boolean taken = to.begin(() -> {
            readHere(extent, part, place);
            ended();
        });
        underWay += taken ? 1 : 0;
        return taken;
    }

    private void readHere(Extent extent, MemorySegment part, int place) {
        try {
            reader.read(extent, part);
        } catch (IOException | RuntimeException | Error e) {
            failed(place, e);
        }
    }

    private void failed(int place, Throwable why) {
        if (place < failed) {
            failed = place;
            failure = why;
        }
    }

    private void ended() {
        underWay--;
        Signal signal = allEnded;
        if (underWay == 0 && signal != null) {
            signal.fire();
        }
    }

    /** Reads what was held back, awaits the rest. */
    private void finish() throws IOException {
        Extent last = held;
        // Not after a place before it has failed; but before one behind it that was not even found.
        if (last != null && places < failed) {
            readHere(last, heldPart, places);
        }
        if (underWay > 0) {
            Signal signal = new Signal();
            allEnded = signal;
            waits.await(signal);
            allEnded = null;
        }
        Throwable first = failure;
        held = null;
        heldPart = MemorySegment.NULL;
        places = 0;
        failure = null;
        failed = NOTHING;
        if (first != null) {
            throwIt(first);
        }
    }

    private static void throwIt(Throwable failure) throws IOException {
        switch (failure) {
            case IOException e -> throw e;
            case RuntimeException e -> throw e;
            case Error e -> throw e;
            default -> throw new IllegalStateException("no read fails by this", failure);
        }
    }
}
