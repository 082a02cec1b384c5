package dev.cowherd.metadata;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import jdk.jfr.Threshold;

/** For the flight recorder: one queue waited for another. Costs nothing while nobody records. */
@Name("dev.cowherd.Wait")
@Label("Wait for another queue")
@Category({"Cowherd"})
@StackTrace(false)
@Threshold("1 ms")
final class WaitEvent extends Event {
    /** What a queue waits for. */
    enum For {
        /** A change of the same clusters is under way. */
        CLUSTERS("clusters in flight"),
        /** A new L2 table is on its way. */
        TABLE("L2 table in flight"),
        /** Another queue reads the same slice. */
        SLICE("slice load"),
        /** Another queue reads the same refcount block. */
        REFCOUNTS("refcount block load"),
        /** Another queue's flush round, joined or before one's own. */
        FLUSH("flush round"),
        /** A change of the header, or of the bitmaps. */
        HEADER("header or bitmaps"),
        /** A pause of the disk, or its closing. */
        PAUSE("pause");

        final String label;

        For(String label) {
            this.label = label;
        }
    }

    @Label("For")
    String what = "";

    @Label("Number")
    @Description("The first guest cluster, the L2 table, the slice or the refcount block; -1 if there is none")
    long number;

    void finish(For waitedFor, long at) {
        end();
        if (shouldCommit()) {
            what = waitedFor.label;
            number = at;
            commit();
        }
    }
}
