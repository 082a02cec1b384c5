package dev.cowherd.testkit.lab;

import dev.cowherd.storage.Errno;
import dev.cowherd.storage.filter.Operation;
import java.util.Set;

/**
 * An operation of a {@link SimStorage} that fails. A write that fails has written a drawn part; a sync that fails leaves all that was
 * not durable to chance for good.
 *
 * @param operations the kinds that are counted and fail
 * @param number which of them fails first, counted from 1 over all handles
 * @param once whether only that one fails, or each one from there on
 * @param errno what the host says
 */
public record SimFault(Set<Operation> operations, long number, boolean once, Errno errno) {
    /** Every operation that changes a disk or makes it durable. */
    public static final Set<Operation> CHANGES = Set.of(
            Operation.WRITE,
            Operation.ZERO,
            Operation.ALLOCATE,
            Operation.PUNCH_HOLE,
            Operation.TRUNCATE,
            Operation.SYNC);

    /** Keeps its own set. */
    public SimFault {
        operations = Set.copyOf(operations);
    }

    boolean hits(long count) {
        return once ? count == number : count >= number;
    }
}
