package dev.cowherd.metadata;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import jdk.jfr.Threshold;

/** For the flight recorder: a queue read a slice of an L2 table. Costs nothing while nobody records. */
@Name("dev.cowherd.SliceLoad")
@Label("Slice load")
@Category({"Cowherd"})
@StackTrace(false)
@Threshold("1 ms")
final class SliceLoadEvent extends Event {
    @Label("Guest offset")
    @Description("The first guest byte that the slice maps")
    long offset;

    @Label("Host offset")
    @Description("Where the slice lies in the image file")
    long hostOffset;

    @Label("Bytes")
    @DataAmount
    long bytes;

    void finish(long guestOffset, long at, long length) {
        end();
        if (shouldCommit()) {
            offset = guestOffset;
            hostOffset = at;
            bytes = length;
            commit();
        }
    }
}
