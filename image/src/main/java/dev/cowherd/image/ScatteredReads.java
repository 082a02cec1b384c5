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
 * has a branch, but for the last, which the request's own fiber reads while it would only wait. None is under way any more when a read
 * returns or throws, for the memory is the caller's again.
 */
final class ScatteredReads {
    private final ChainLookup lookup;
    private final ExtentReader reader;
    private final @Nullable Branches branches;
    private final Waits waits;

    /** Found and not begun yet: it may turn out to be the last. */
    private @Nullable Extent held;

    private MemorySegment heldPart = MemorySegment.NULL;
    private int begun;
    private int underWay;
    /** Of the branch that was begun first, of those that failed: what reading one after the other would have met. */
    private @Nullable Throwable failure;

    private int failed;
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
        boolean complete = false;
        try {
            add(first, destination.asSlice(0, first.length()));
            begin(offset + first.length(), destination.asSlice(first.length()));
            complete = true;
        } finally {
            finish(complete);
        }
    }

    /** Reads two stretches. */
    void readTwo(long offset, MemorySegment destination, long secondOffset, MemorySegment second) throws IOException {
        boolean complete = false;
        try {
            begin(offset, destination);
            begin(secondOffset, second);
            complete = true;
        } finally {
            finish(complete);
        }
    }

    private void begin(long offset, MemorySegment destination) throws IOException {
        long length = destination.byteSize();
        for (long done = 0; done < length; ) {
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
        if (before != null && !branch(branches, before, partBefore)) {
            reader.read(before, partBefore);
        }
    }

    private boolean branch(Branches to, Extent extent, MemorySegment part) {
        int number = begun;
        boolean taken = to.begin(() -> {
            try {
                reader.read(extent, part);
            } catch (IOException | RuntimeException | Error e) {
                if (failure == null || number < failed) {
                    failure = e;
                    failed = number;
                }
            }
            ended();
        });
        if (taken) {
            begun++;
            underWay++;
        }
        return taken;
    }

    private void ended() {
        underWay--;
        Signal signal = allEnded;
        if (underWay == 0 && signal != null) {
            signal.fire();
        }
    }

    /** Ends what was begun, and reads what was held back if all before it was found. */
    private void finish(boolean complete) throws IOException {
        if (branches == null) {
            return;
        }
        Extent last = held;
        held = null;
        Throwable own = null;
        try {
            if (complete && last != null) {
                reader.read(last, heldPart);
            }
        } catch (IOException | RuntimeException | Error e) {
            own = e;
        }
        if (underWay > 0) {
            Signal signal = new Signal();
            allEnded = signal;
            waits.await(signal);
            allEnded = null;
        }
        heldPart = MemorySegment.NULL;
        begun = 0;
        Throwable first = failure == null ? own : failure;
        failure = null;
        if (complete && first != null) {
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
