package dev.cowherd.storage.filter;

import dev.cowherd.storage.Storage;
import dev.cowherd.storage.StorageException;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Fails chosen operations with a chosen errno, as a bad disk would, before they reach the next storage. Counts are kept over all
 * reopened handles. Thread-safe.
 */
public final class FaultStorage extends InterceptingStorage {
    /** A fault and how many operations have matched it. */
    private record Armed(Fault fault, AtomicLong matched) {}

    private final List<Armed> faults;

    /**
     * Stands in front of a storage.
     *
     * @param next where operations go that do not fail
     * @param faults what fails from the start; {@link #add} adds more
     */
    public FaultStorage(Storage next, Fault... faults) {
        this(next, new CopyOnWriteArrayList<>());
        for (Fault fault : faults) {
            add(fault);
        }
    }

    private FaultStorage(Storage next, List<Armed> faults) {
        super(next);
        this.faults = faults;
    }

    /**
     * Adds a fault; its count begins now.
     *
     * @param fault what fails from now on, on every handle
     */
    public void add(Fault fault) {
        faults.add(new Armed(fault, new AtomicLong()));
    }

    /** Takes every fault away: the disk is well again. */
    public void clear() {
        faults.clear();
    }

    @Override
    protected void begin(Request request) throws StorageException {
        for (Armed armed : faults) {
            if (armed.fault.matches(request) && armed.fault.hits(armed.matched.getAndIncrement())) {
                throw StorageException.of(
                        "injected fault on " + request.operation(), name(), request.offset(), armed.fault.errno());
            }
        }
    }

    @Override
    protected FaultStorage around(Storage reopened) {
        return new FaultStorage(reopened, faults);
    }
}
