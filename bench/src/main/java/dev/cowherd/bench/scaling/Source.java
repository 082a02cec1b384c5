package dev.cowherd.bench.scaling;

import dev.cowherd.image.Request;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/** One queue's requests, one after another. */
@FunctionalInterface
interface Source {
    /** What each queue of a run asks for. */
    @FunctionalInterface
    interface PerQueue {
        Source of(int queue);
    }

    /**
     * The next request.
     *
     * @param token the request's
     * @param buffer its buffer; as large as a request of the run
     * @return the request, or null if the queue is done
     */
    @Nullable
    Request next(long token, MemorySegment buffer);

    /** Reads of blocks anywhere in the first bytes of a disk. */
    static Source randomReads(long diskBytes, int blockBytes, int queue) {
        Dice dice = new Dice(queue, diskBytes / blockBytes);
        return (token, buffer) -> new Request.Read(token, dice.next() * blockBytes, buffer);
    }

    /** The same, writing. */
    static Source randomWrites(long diskBytes, int blockBytes, int queue) {
        Dice dice = new Dice(queue, diskBytes / blockBytes);
        return (token, buffer) -> new Request.Write(token, dice.next() * blockBytes, buffer);
    }

    /** Seven of ten read, three write, anywhere, and each queue flushes after so many requests. */
    static Source mixed(long diskBytes, int blockBytes, int flushInterval, int queue) {
        Dice dice = new Dice(queue, diskBytes / blockBytes);
        AtomicLong made = new AtomicLong();
        return (token, buffer) -> {
            long number = made.getAndIncrement();
            if (number % flushInterval == flushInterval - 1) {
                return new Request.Flush(token);
            }
            long offset = dice.next() * blockBytes;
            return number % 10 < 7 ? new Request.Read(token, offset, buffer) : new Request.Write(token, offset, buffer);
        };
    }

    /** Writes to the start of each stride of a disk, the queues in turn, until it ends: neighbours are always another queue's. */
    static Source interleavedWrites(long diskBytes, long strideBytes, int queue, int queues) {
        AtomicLong next = new AtomicLong(queue);
        return (token, buffer) -> {
            long at = next.getAndAdd(queues) * strideBytes;
            return at < diskBytes ? new Request.Write(token, at, buffer) : null;
        };
    }

    /** Reads a stretch of a disk once, one block after another. */
    static Source onePass(long fromBytes, long toBytes, int blockBytes) {
        AtomicLong next = new AtomicLong(fromBytes);
        return (token, buffer) -> {
            long at = next.getAndAdd(blockBytes);
            return at < toBytes ? new Request.Read(token, at, buffer) : null;
        };
    }

    /** A small fast generator. One thread's. */
    final class Dice {
        private final long sides;
        private long state;

        Dice(long seed, long sides) {
            this.sides = sides;
            this.state = (seed + 1) * 0x9E3779B97F4A7C15L;
        }

        long next() {
            state ^= state << 13;
            state ^= state >>> 7;
            state ^= state << 17;
            return Math.multiplyHigh(state >>> 1, sides << 1);
        }
    }
}
