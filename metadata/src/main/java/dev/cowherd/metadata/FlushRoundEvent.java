package dev.cowherd.metadata;

import jdk.jfr.Category;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import jdk.jfr.Threshold;

/** For the flight recorder: one round of the flush order. Costs nothing while nobody records. */
@Name("dev.cowherd.FlushRound")
@Label("Flush round")
@Category({"Cowherd"})
@StackTrace(false)
@Threshold("0 ms")
final class FlushRoundEvent extends Event {
    @Label("Slices")
    int slices;

    @Label("Refcount Blocks")
    int refcountBlocks;

    @Label("L1 Entries")
    int l1Entries;

    void finish(int slicesWritten, int blocksWritten, int l1Written) {
        end();
        if (shouldCommit()) {
            slices = slicesWritten;
            refcountBlocks = blocksWritten;
            l1Entries = l1Written;
            commit();
        }
    }
}
