package dev.cowherd.image;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import jdk.jfr.Threshold;
import org.jspecify.annotations.Nullable;

/** For the flight recorder: a request took longer than the recording's threshold. Costs nothing while nobody records. */
@Name("dev.cowherd.Request")
@Label("Request")
@Category({"Cowherd"})
@StackTrace(false)
@Threshold("10 ms")
final class RequestEvent extends Event {
    @Label("Kind")
    String kind = "";

    @Label("Guest offset")
    @Description("The first byte; 0 for a flush")
    long offset;

    @Label("Bytes")
    @DataAmount
    long bytes;

    /** Asked, never recorded: whether events are wanted is the same for all of them. */
    private static final RequestEvent ANY = new RequestEvent();

    /** An event that has begun, or null if nobody records: the one question on the hot path. */
    static @Nullable RequestEvent start() {
        if (!ANY.isEnabled()) {
            return null;
        }
        RequestEvent event = new RequestEvent();
        event.begin();
        return event;
    }

    void finish(String what, long at, long length) {
        end();
        if (shouldCommit()) {
            kind = what;
            offset = at;
            bytes = length;
            commit();
        }
    }
}
