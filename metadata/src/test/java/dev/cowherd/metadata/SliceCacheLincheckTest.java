package dev.cowherd.metadata;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.jetbrains.lincheck.datastructures.IntGen;
import org.jetbrains.lincheck.datastructures.Operation;
import org.jetbrains.lincheck.datastructures.Param;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * A cache that holds one slice, over a table in memory, is that table: look-ups without a lock, changes under the slice's monitor, loads,
 * evictions and flushes lose and tear nothing. A slice here is one extended entry.
 */
@Tag("lincheck")
@Param(name = "slice", gen = IntGen.class, conf = "0:1")
@Param(name = "value", gen = IntGen.class, conf = "1:9")
public class SliceCacheLincheckTest {
    private final SliceCache cache = new SliceCache(1);
    private final SliceIndex index = new SliceIndex(cache, 2, 0);
    private final Turn turn = new Turn(Waits.PARK);
    private final List<Slice> dirty = new ArrayList<>();
    /** What the host has. Guarded by itself: a host's read or write of two words is whole here. */
    private final long[] table = new long[2];

    private Slice load(long number) {
        synchronized (table) {
            long word = table[(int) number];
            return new Slice(index, number, 0, (int) number, new long[] {word, -word});
        }
    }

    private Slice get(int number) {
        Slice slice = index.cached(number);
        try {
            return slice != null ? slice : index.get(number, this::load);
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    @Operation
    public long read(@Param(name = "slice") int number) {
        Slice slice = get(number);
        while (true) {
            int sequence = slice.sequence();
            long first = slice.word(0);
            long second = slice.word(1);
            if (!slice.changedSince(sequence)) {
                // A torn pair is no value that anyone wrote.
                return first == -second ? first : Long.MIN_VALUE;
            }
        }
    }

    @Operation
    public void write(@Param(name = "slice") int number, @Param(name = "value") int value) {
        while (true) {
            Slice slice = get(number);
            synchronized (slice) {
                if (!slice.isEvicted()) {
                    slice.setPair(0, value, -value);
                    if (slice.markDirty(List.of())) {
                        synchronized (dirty) {
                            dirty.add(slice);
                        }
                    }
                    return;
                }
            }
            cache.forget(slice);
        }
    }

    @Operation
    public void writeAndFlush(@Param(name = "slice") int number, @Param(name = "value") int value) {
        write(number, value);
        flush();
    }

    /** As a round of the flush does it. */
    private void flush() {
        turn.take();
        List<Slice> taken;
        synchronized (dirty) {
            taken = List.copyOf(dirty);
            dirty.clear();
        }
        for (Slice slice : taken) {
            Slice.Copy copy = slice.copyForWriting();
            synchronized (table) {
                table[(int) slice.number] = copy.words[0];
            }
            slice.written();
        }
        turn.give();
    }

    /** What is asked for: the table itself. */
    public static class InSequence {
        private final long[] words = new long[2];

        public long read(int number) {
            return words[number];
        }

        public void write(int number, int value) {
            words[number] = value;
        }

        public void writeAndFlush(int number, int value) {
            words[number] = value;
        }
    }

    @Test
    void inEveryOrder() {
        Lincheck.modelCheck(SliceCacheLincheckTest.class, InSequence.class, 25, 150);
    }

    @Test
    void onRealThreads() {
        Lincheck.stress(SliceCacheLincheckTest.class, InSequence.class);
    }
}
