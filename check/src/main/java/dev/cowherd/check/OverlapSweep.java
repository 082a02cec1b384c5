package dev.cowherd.check;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Cuts overlapping ranges of numbers into pieces that do not overlap, each with the number of ranges it is in. */
final class OverlapSweep {
    private final TreeMap<Long, Long> changes = new TreeMap<>();

    /** Numbers {@code from} to {@code to - 1}, which {@code depth} ranges hold. */
    record Piece(long from, long to, long depth) {}

    /** Adds the range of numbers {@code from} to {@code to - 1}. */
    void add(long from, long to) {
        changes.merge(from, 1L, Long::sum);
        changes.merge(to, -1L, Long::sum);
    }

    /** The pieces, ascending; what no range holds is in none. */
    List<Piece> pieces() {
        List<Piece> pieces = new ArrayList<>();
        long from = 0;
        long depth = 0;
        for (Map.Entry<Long, Long> change : changes.entrySet()) {
            if (depth > 0) {
                pieces.add(new Piece(from, change.getKey(), depth));
            }
            depth += change.getValue();
            from = change.getKey();
        }
        return pieces;
    }
}
