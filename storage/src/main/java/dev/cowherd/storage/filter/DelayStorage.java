package dev.cowherd.storage.filter;

import dev.cowherd.storage.Storage;
import java.util.function.ToLongFunction;

/** Makes operations wait before they are passed on, as a slow disk or a far one would. Thread-safe if its two functions are. */
public final class DelayStorage extends InterceptingStorage {
    private final ToLongFunction<Request> nanosFor;
    private final Parker parker;

    /**
     * Stands in front of a storage.
     *
     * @param next where operations go when they have waited
     * @param nanosFor how many nanoseconds an operation waits; 0 or less for none
     * @param parker how it waits: {@link Parker#REAL_TIME}, or a test's clock
     */
    public DelayStorage(Storage next, ToLongFunction<Request> nanosFor, Parker parker) {
        super(next);
        this.nanosFor = nanosFor;
        this.parker = parker;
    }

    @Override
    protected void begin(Request request) {
        long nanos = nanosFor.applyAsLong(request);
        if (nanos > 0) {
            parker.park(nanos);
        }
    }

    @Override
    protected DelayStorage around(Storage reopened) {
        return new DelayStorage(reopened, nanosFor, parker);
    }
}
