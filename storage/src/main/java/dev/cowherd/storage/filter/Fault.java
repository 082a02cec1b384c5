package dev.cowherd.storage.filter;

import dev.cowherd.storage.Errno;
import java.util.EnumSet;
import java.util.Set;

/**
 * Which operations fail, and how. Immutable; counting is the filter's.
 *
 * @param operations the kinds that fail
 * @param offset the first byte of the range that fails; operations without a place count as outside any but the whole range
 * @param length the bytes of that range
 * @param skip how many matching operations succeed first
 * @param times how many fail then, after which the fault is spent
 * @param errno the host's error number to answer
 */
public record Fault(Set<Operation> operations, long offset, long length, long skip, long times, int errno) {
    /** Keeps its own set. */
    public Fault {
        operations = Set.copyOf(operations);
    }

    /**
     * Every operation of some kinds fails.
     *
     * @param errno what the host says
     * @param first a kind
     * @param more further kinds
     * @return the fault
     */
    public static Fault of(Errno errno, Operation first, Operation... more) {
        return new Fault(EnumSet.of(first, more), 0, Long.MAX_VALUE, 0, Long.MAX_VALUE, errno.number());
    }

    /**
     * The same for operations that touch a range only.
     *
     * @param from the first byte
     * @param bytes the range's length
     * @return the fault
     */
    public Fault inRange(long from, long bytes) {
        return new Fault(operations, from, bytes, skip, times, errno);
    }

    /**
     * The same for the k-th matching operation only.
     *
     * @param k counted from 1
     * @return the fault
     */
    public Fault onlyNumber(long k) {
        return new Fault(operations, offset, length, k - 1, 1, errno);
    }

    /**
     * The same from the k-th matching operation on.
     *
     * @param k counted from 1
     * @return the fault
     */
    public Fault fromNumber(long k) {
        return new Fault(operations, offset, length, k - 1, Long.MAX_VALUE, errno);
    }

    boolean matches(Request request) {
        if (!operations.contains(request.operation())) {
            return false;
        }
        return length == Long.MAX_VALUE || request.touches(offset, length);
    }

    /** Whether the n-th matching operation, counted from 0, fails. */
    boolean hits(long n) {
        return n >= skip && n - skip < times;
    }
}
