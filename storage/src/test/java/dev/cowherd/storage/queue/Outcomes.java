package dev.cowherd.storage.queue;

import dev.cowherd.storage.StorageException;
import java.io.IOException;
import java.util.HashMap;
import java.util.Map;

/** The completions of a test, by token; each comes once. */
public final class Outcomes implements HostCompletions {
    private final Map<Long, Object> outcomes = new HashMap<>();

    @Override
    public void completed(long token, long bytes) {
        add(token, bytes);
    }

    @Override
    public void failed(long token, IOException failure) {
        add(token, failure);
    }

    private void add(long token, Object outcome) {
        Object before = outcomes.put(token, outcome);
        if (before != null) {
            throw new AssertionError("token " + token + " completed twice: " + before + ", " + outcome);
        }
    }

    int count() {
        return outcomes.size();
    }

    /** The bytes of an operation that has succeeded; else its failure is thrown. */
    public long of(long token) throws IOException {
        Object outcome = outcomes.get(token);
        if (outcome instanceof IOException failure) {
            throw failure;
        }
        if (outcome == null) {
            throw new AssertionError("token " + token + " has not completed");
        }
        return (long) outcome;
    }

    /** The errno of an operation that has failed. */
    int errnoOf(long token) {
        if (outcomes.get(token) instanceof StorageException failure) {
            return failure.errno();
        }
        throw new AssertionError("token " + token + ": " + outcomes.get(token));
    }
}
