package dev.cowherd.testkit.lab;

import dev.cowherd.storage.Storage;
import dev.cowherd.storage.fiber.FiberLoop;
import dev.cowherd.storage.filter.InterceptingStorage;
import dev.cowherd.storage.filter.Operation;
import dev.cowherd.storage.filter.Request;
import java.util.EnumSet;
import java.util.Set;

/**
 * Lets another worker take over before and after every operation that moves, changes or secures bytes. On a fiber it leaves it there, so
 * that another fiber may.
 */
public final class SteppedStorage extends InterceptingStorage {
    private static final Set<Operation> STEPS = EnumSet.of(
            Operation.READ,
            Operation.WRITE,
            Operation.PUNCH_HOLE,
            Operation.ZERO,
            Operation.ALLOCATE,
            Operation.TRUNCATE,
            Operation.SYNC);

    private final StepScheduler steps;

    /**
     * Stands in front of a storage.
     *
     * @param next where operations go
     * @param steps who says which worker goes on
     */
    public SteppedStorage(Storage next, StepScheduler steps) {
        super(next);
        this.steps = steps;
    }

    /** Where a worker stands, in words when asked for. */
    private record Place(String when, Request request) {
        @Override
        public String toString() {
            return when + " " + request.operation() + " at " + request.offset() + "+" + request.length();
        }
    }

    @Override
    protected void begin(Request request) {
        if (STEPS.contains(request.operation())) {
            steps.step(new Place("before", request));
        }
    }

    @Override
    protected void end(Request request) {
        if (STEPS.contains(request.operation())) {
            steps.step(new Place("after", request));
        }
    }

    @Override
    protected SteppedStorage around(Storage reopened) {
        return new SteppedStorage(reopened, steps);
    }

    @Override
    protected SteppedStorage around(Storage reopened, FiberLoop loop) {
        steps.play(loop);
        return new SteppedStorage(reopened, steps);
    }
}
