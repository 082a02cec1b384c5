package dev.cowherd.storage.ring;

import dev.cowherd.storage.linux.RingCalls;
import dev.cowherd.storage.linux.RingSystemCalls;
import java.lang.foreign.MemorySegment;

/** The kernel, with a place to stand in front of each call. */
public class PassingRingCalls implements RingCalls {
    @Override
    public long setup(int entries, MemorySegment params) {
        return RingSystemCalls.HOST.setup(entries, params);
    }

    @Override
    public long enter(int ring, int toSubmit, int minComplete, int flags, MemorySegment argument) {
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
