package dev.cowherd.bench.plot;

import java.util.ArrayList;
import java.util.List;

/**
 * One line of a chart.
 *
 * @param title what it is, for the legend
 * @param points at least one, in ascending order of where they stand
 */
public record Series(String title, List<Point> points) {
    /**
     * One point of it.
     *
     * @param at where it stands on the axis below, 1 or more
     * @param value how high, 0 or more
     */
    public record Point(int at, double value) {}

    /** Keeps its own list. */
    public Series {
        points = List.copyOf(points);
        if (points.isEmpty()) {
            throw new IllegalArgumentException("the line '" + title + "' has no point");
        }
    }

    /**
     * Puts values and their places together.
     *
     * @param title what it is
     * @param at the places
     * @param values a value for each
     * @return the line
     */
    public static Series of(String title, int[] at, double[] values) {
        List<Point> points = new ArrayList<>();
        for (int i = 0; i < at.length; i++) {
            points.add(new Point(at[i], values[i]));
        }
        return new Series(title, points);
    }
}
