package dev.cowherd.storage.fiber;

import dev.cowherd.storage.linux.RingCalls;
import dev.cowherd.storage.linux.RingSystemCalls;
import dev.cowherd.storage.ring.RingOptions;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/** The kernel under one io_uring, with habits that kernels have under load. For one thread. */
public final class UnsteadyRing implements RingCalls {
    /** What befalls every other call that brings requests. */
    public enum Trouble {
        /** Nothing does; only the ring is small. */
        NONE,
        EINTR(-4),
        EAGAIN(-11),
        EBUSY(-16),
        /** One request is taken, the others are left. */
        ONE_AT_A_TIME;

        private final long answer;

        Trouble() {
            this(0);
        }

        Trouble(long answer) {
            this.answer = answer;
        }
    }

    private final Trouble trouble;
    private long offers;
    private long struck;

    public UnsteadyRing(Trouble trouble) {
        this.trouble = trouble;
    }

    /** A loop with a ring of four entries and eight completions, so that more requests in flight overflow it. */
    public FiberLoop open() throws IOException {
        return FiberLoop.open(new RingOptions(4, 8, 16, 0), this);
    }

    /** Calls that met with trouble. */
    public long struck() {
        return struck;
    }

    @Override
    public long setup(int entries, MemorySegment params) {
        return RingSystemCalls.HOST.setup(entries, params);
    }

    @Override
    public long enter(int ring, int toSubmit, int minComplete, int flags, MemorySegment argument) {
        if (toSubmit > 0 && trouble != Trouble.NONE && offers++ % 2 == 1) {
            struck++;
            if (trouble.answer < 0) {
                return trouble.answer;
            }
            return RingSystemCalls.HOST.enter(ring, 1, toSubmit > 1 ? 0 : minComplete, flags, argument);
        }
        return RingSystemCalls.HOST.enter(ring, toSubmit, minComplete, flags, argument);
    }

    @Override
    public long register(int ring, int operation, MemorySegment argument, int count) {
        return RingSystemCalls.HOST.register(ring, operation, argument, count);
    }

    @Override
    public long map(int ring, long bytes, long part) {
        return RingSystemCalls.HOST.map(ring, bytes, part);
    }

    @Override
    public long unmap(long address, long bytes) {
        return RingSystemCalls.HOST.unmap(address, bytes);
    }

    @Override
    public long eventfd() {
        return RingSystemCalls.HOST.eventfd();
    }

    @Override
    public long write(int fd, MemorySegment source) {
        return RingSystemCalls.HOST.write(fd, source);
    }

    @Override
    public long close(int fd) {
        return RingSystemCalls.HOST.close(fd);
    }
}
