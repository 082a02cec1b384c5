package dev.cowherd.bench;

import java.io.IOException;

/**
 * Measures two sides in turn.
 *
 * @param count how often
 */
public record Rounds(int count) {
    /** One side of a comparison. */
    @FunctionalInterface
    public interface Side {
        /**
         * Runs once.
         *
         * @return its figure, more is better
         * @throws IOException if it fails
         */
        double run() throws IOException;
    }

    /**
     * One line of the report, its figures printed as they come.
     *
     * @param workload what is run
     * @param against what it is compared with
     * @param target the least ratio that counts as met
     * @param unit of the figures
     * @param ours measured first in each round
     * @param theirs measured second
     * @return the line
     * @throws IOException if a side fails
     */
    public Line line(String workload, String against, double target, String unit, Side ours, Side theirs)
            throws IOException {
        double[] our = new double[count];
        double[] their = new double[count];
        for (int i = 0; i < count; i++) {
            our[i] = ours.run();
            their[i] = theirs.run();
        }
        Line line = new Line(workload, against, target, unit, our, their);
        System.err.println(line.row());
        return line;
    }
}
