package dev.cowherd.cli.bench;

/**
 * Where one queue's requests go, one after another: in steps, as {@code qemu-img bench} goes, or at random.
 *
 * <p>In steps, a request that would not fit on the disk starts again from its beginning, modulo the disk's size less one
 * request, as in QEMU. Random requests are aligned to their own size. Not thread-safe: each queue has its own.
 */
final class OffsetPattern {
    private final long wrapBytes;
    private final long stepBytes;
    private final long blocks;
    private final int bufferBytes;
    private final boolean random;
    private long next;
    private long state;

    /**
     * The pattern of one queue.
     *
     * @param settings the size and order of requests
     * @param diskBytes the disk's size, at least one request
     * @param first the index of this queue's first request in the whole run
     * @param seed decides the random offsets; different for each queue
     */
    OffsetPattern(BenchSettings settings, long diskBytes, long first, long seed) {
        this.bufferBytes = settings.bufferBytes();
        this.wrapBytes = diskBytes - bufferBytes;
        this.stepBytes = settings.stepBytes();
        this.blocks = diskBytes / bufferBytes;
        this.random = settings.random();
        this.state = mixed(seed);
        this.next = first == 0 ? settings.offset() : wrapped(settings.offset(), first);
    }

    /** Where the next request starts, in bytes. */
    long next() {
        if (random) {
            // xorshift64: a few cycles, and no queue waits for another.
            state ^= state << 13;
            state ^= state >>> 7;
            state ^= state << 17;
            return Math.unsignedMultiplyHigh(state, blocks) * bufferBytes;
        }
        long offset = next;
        next += stepBytes;
        if (next >= wrapBytes) {
            next = wrapBytes == 0 ? 0 : next % wrapBytes;
        }
        return offset;
    }

    /** The start of a later request: steps add up modulo the wrap, doubled and added so that nothing overflows. */
    private long wrapped(long offset, long first) {
        if (wrapBytes == 0) {
            return 0;
        }
        long sum = offset % wrapBytes;
        long power = stepBytes % wrapBytes;
        for (long bits = first; bits != 0; bits >>>= 1) {
            if ((bits & 1) != 0) {
                sum = added(sum, power);
            }
            power = added(power, power);
        }
        return sum;
    }

    private long added(long x, long y) {
        return x >= wrapBytes - y ? x - (wrapBytes - y) : x + y;
    }

    /** Spreads a small seed over all bits; never 0, which xorshift does not leave. */
    private static long mixed(long seed) {
        long z = (seed + 1) * 0x9e3779b97f4a7c15L;
        z = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
        return (z ^ (z >>> 31)) | 1;
    }
}
