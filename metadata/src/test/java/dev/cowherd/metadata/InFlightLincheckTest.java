package dev.cowherd.metadata;

import org.jetbrains.lincheck.datastructures.IntGen;
import org.jetbrains.lincheck.datastructures.Operation;
import org.jetbrains.lincheck.datastructures.Param;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Who holds a range of the in-flight table is alone in it, and sees what those before it did there. */
@Tag("lincheck")
@Param(name = "cluster", gen = IntGen.class, conf = "0:1")
@Param(name = "count", gen = IntGen.class, conf = "1:2")
public class InFlightLincheckTest {
    private final InFlight inFlight = new InFlight(Waits.PARK);
    /** Kept whole by the table alone: neither volatile nor atomic. */
    private final int[] changes = new int[3];

    @Operation
    public int change(@Param(name = "cluster") int cluster, @Param(name = "count") int count) {
        InFlight.Range range;
        do {
            range = inFlight.enterOrWait(cluster, cluster + count);
        } while (range == null);
        int sum = 0;
        for (int i = cluster; i < cluster + count; i++) {
            int before = changes[i];
            changes[i] = before + 1;
            sum = 10 * sum + before;
        }
        inFlight.leave(range);
        return sum;
    }

    /** What is asked for: counters, one change after the other. */
    public static class InSequence {
        private final int[] changes = new int[3];

        public int change(int cluster, int count) {
            int sum = 0;
            for (int i = cluster; i < cluster + count; i++) {
                sum = 10 * sum + changes[i]++;
            }
            return sum;
        }
    }

    @Test
    void inEveryOrder() {
        Lincheck.modelCheck(InFlightLincheckTest.class, InSequence.class, 10, 40);
    }

    @Test
    void onRealThreads() {
        Lincheck.stress(InFlightLincheckTest.class, InSequence.class);
    }
}
