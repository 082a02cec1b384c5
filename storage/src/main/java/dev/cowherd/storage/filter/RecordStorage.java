package dev.cowherd.storage.filter;

import dev.cowherd.storage.Storage;
import java.util.ArrayList;
import java.util.List;

/** Notes every operation in the order in which they begin, over all reopened handles. Thread-safe. */
public final class RecordStorage extends InterceptingStorage {
    private final List<Request> requests;

    /**
     * Stands in front of a storage, with nothing noted.
     *
     * @param next where operations go
     */
    public RecordStorage(Storage next) {
        this(next, new ArrayList<>());
    }

    private RecordStorage(Storage next, List<Request> requests) {
        super(next);
        this.requests = requests;
    }

    /**
     * What has been noted.
     *
     * @return a copy, oldest first; operations that failed further on are in it
     */
    public List<Request> requests() {
        synchronized (requests) {
            return List.copyOf(requests);
        }
    }

    /**
     * What has been noted of one kind.
     *
     * @param operation the kind
     * @return a copy, oldest first
     */
    public List<Request> requests(Operation operation) {
        return requests().stream().filter(r -> r.operation() == operation).toList();
    }

    /** Forgets what has been noted. */
    public void forget() {
        synchronized (requests) {
            requests.clear();
        }
    }

    @Override
    protected void begin(Request request) {
        synchronized (requests) {
            requests.add(request);
        }
    }

    @Override
    protected RecordStorage around(Storage reopened) {
        return new RecordStorage(reopened, requests);
    }
}
