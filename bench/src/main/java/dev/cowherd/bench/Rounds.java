package dev.cowherd.bench;

import java.io.IOException;

/**
 * Measures two sides in turn.
 *
 * @param count how often
 */
record Rounds(int count) {
    /** One side of a comparison: runs once and answers with its figure, more is better. */
    interface Side {
        double run() throws IOException;
    }

    /** One line of the report, its figures printed as they come. */
    Line line(String workload, String against, double target, String unit, Side ours, Side theirs) throws IOException {
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
