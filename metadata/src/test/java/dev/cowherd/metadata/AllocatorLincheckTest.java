package dev.cowherd.metadata;

import dev.cowherd.metadata.Allocator.Taken;
import dev.cowherd.storage.Storage;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.jetbrains.lincheck.datastructures.IntGen;
import org.jetbrains.lincheck.datastructures.Operation;
import org.jetbrains.lincheck.datastructures.Param;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Clusters are handed out, counted and taken back as if one queue came after the other, although blocks are loaded on the way. */
@Tag("lincheck")
@Param(name = "count", gen = IntGen.class, conf = "1:2")
@Param(name = "which", gen = IntGen.class, conf = "0:1")
public class AllocatorLincheckTest {
    /** Two clusters that the test has from the start, in two blocks, and one with three references. */
    private static final long[] HELD = {6, 70};

    private static final long SHARED = 72;
    private static final CountedFile IMAGE = image();
    private static final Storage FILE = IMAGE.fixed(offset -> {});

    private final Allocator allocator = IMAGE.allocator(Waits.PARK);
    private final AtomicIntegerArray held = new AtomicIntegerArray(new int[] {1, 1});

    /** Free are clusters 5 and 7 and those past the end at 9; all those of the second block are counted. */
    private static CountedFile image() {
        try {
            return new CountedFile(2, 9)
                    .count(4, 1)
                    .count(HELD[0], 1)
                    .count(8, 1)
                    .count(HELD[1], 1)
                    .count(SHARED, 3);
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    @Operation
    public String take(@Param(name = "count") int count) throws IOException {
        Taken taken = allocator.take(count, null, FILE, CountedFile.NO_GROWTH);
        return taken.cluster() + "+" + taken.count();
    }

    @Operation
    public boolean giveBack(@Param(name = "which") int which) throws IOException {
        if (!held.compareAndSet(which, 1, 0)) {
            return false;
        }
        allocator.giveBack(HELD[which], 1, FILE);
        return true;
    }

    @Operation
    public boolean drop() throws IOException {
        List<Taken> last = new ArrayList<>();
        allocator.dropReferences(SHARED, 1, last, FILE);
        return last.isEmpty();
    }

    @Operation
    public long count() throws IOException {
        return CountedFile.count(allocator, SHARED, FILE);
    }

    @Test
    void inEveryOrder() {
        Lincheck.modelCheck(AllocatorLincheckTest.class, AllocatorLincheckTest.class, 20, 50);
    }

    @Test
    void onRealThreads() {
        Lincheck.stress(AllocatorLincheckTest.class, AllocatorLincheckTest.class);
    }
}
