package dev.cowherd.storage.ring;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The completions of a test: their results by token, in the order they came. */
final class Seen implements Completions {
    /** Nanoseconds after which a test that waits in vain fails instead of standing still: no interrupt ends a wait in the kernel. */
    static final long LIMIT = 20_000_000_000L;

    final Map<Long, List<Integer>> results = new HashMap<>();
    final List<Long> order = new ArrayList<>();
    int lastFlags;

    @Override
    public void completed(long token, int result, int flags) {
        results.computeIfAbsent(token, key -> new ArrayList<>()).add(result);
        order.add(token);
        lastFlags = flags;
    }

    /** The one result of a token. */
    int of(long token) {
        List<Integer> all = results.getOrDefault(token, List.of());
        if (all.size() != 1) {
            throw new AssertionError("token " + token + " completed " + all.size() + " times: " + all);
        }
        return all.getFirst();
    }
}
