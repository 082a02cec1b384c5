package dev.cowherd.testkit.lab;

import dev.cowherd.storage.Storage;
import dev.cowherd.storage.fiber.FiberLoop;
import dev.cowherd.storage.fiber.PlainTransfers;
import dev.cowherd.storage.filter.InterceptingStorage;
import dev.cowherd.storage.filter.Operation;
import dev.cowherd.storage.filter.Request;
import java.lang.foreign.MemorySegment;
import java.util.EnumSet;
import java.util.Set;

/**
 * Lets another worker take over before and after every operation that moves, changes or secures bytes. On a fiber it leaves it there, so
 * that another fiber may; a transfer that no fiber waits for is made, and ends, when the scheduler says so, and every fifth comes short.
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

    private final Storage next;
    private final StepScheduler steps;

    /**
     * Stands in front of a storage.
     *
     * @param next where operations go
     * @param steps who says which worker goes on
     */
    public SteppedStorage(Storage next, StepScheduler steps) {
        super(next);
        this.next = next;
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

    @Override
    public boolean beginRead(PlainTransfers by, long offset, MemorySegment destination, long token) {
        Request request = new Request(Operation.READ, offset, destination.byteSize());
        return steps.transfer(
                new Place("before", request),
                new Place("after", request),
                by,
                token,
                () -> next.read(offset, steps.isShort() ? half(destination) : destination));
    }

    @Override
    public boolean beginWrite(PlainTransfers by, long offset, MemorySegment source, long token) {
        Request request = new Request(Operation.WRITE, offset, source.byteSize());
        return steps.transfer(new Place("before", request), new Place("after", request), by, token, () -> {
            MemorySegment part = steps.isShort() ? half(source) : source;
            next.write(offset, part);
            return part.byteSize();
        });
    }

    /** What a host moves that comes short: some whole sectors, or nothing. */
    private static MemorySegment half(MemorySegment bytes) {
        return bytes.asSlice(0, bytes.byteSize() / 2 & -512);
    }
}
