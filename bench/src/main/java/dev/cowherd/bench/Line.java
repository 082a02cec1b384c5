package dev.cowherd.bench;

import java.util.Arrays;
import java.util.Locale;

/** One line of the report: a workload, what it was held against, and the ratio of each round. More is better. */
public final class Line {
    private final String workload;
    private final String against;
    private final double target;
    private final String unit;
    private final double[] ours;
    private final double[] theirs;

    /**
     * Notes what was measured.
     *
     * @param workload what was run
     * @param against what it was compared with
     * @param target the least ratio that counts as met
     * @param unit of the figures
     * @param ours our figure in each round
     * @param theirs the peer's figure in the same round; empty where there is no peer and being done is the point
     */
    Line(String workload, String against, double target, String unit, double[] ours, double[] theirs) {
        this.workload = workload;
        this.against = against;
        this.target = target;
        this.unit = unit;
        this.ours = ours;
        this.theirs = theirs;
    }

    double[] ratios() {
        double[] ratios = new double[ours.length];
        for (int i = 0; i < ratios.length; i++) {
            ratios[i] = ours[i] / theirs[i];
        }
        return ratios;
    }

    /**
     * The table's first lines.
     *
     * @return Markdown
     */
    public static String header() {
        return "| workload | against | ours | theirs | ratio (min–max) | at least | |\n|---|---|---|---|---|---|---|";
    }

    /**
     * The line of the table.
     *
     * @return Markdown
     */
    public String row() {
        if (theirs.length == 0) {
            return "| " + workload + " | " + against + " | " + figure(median(ours)) + " | | | | done |";
        }
        double[] ratios = ratios();
        Arrays.sort(ratios);
        double median = median(ratios);
        return String.format(
                Locale.ROOT,
                "| %s | %s | %s | %s | %.2f × (%.2f–%.2f) | %.1f × | %s |",
                workload,
                against,
                figure(median(ours)),
                figure(median(theirs)),
                median,
                ratios[0],
                ratios[ratios.length - 1],
                target,
                median >= target ? "met" : "missed");
    }

    private String figure(double value) {
        if (value >= 10_000) {
            return String.format(Locale.ROOT, "%.0fk %s", value / 1000, unit);
        }
        return String.format(Locale.ROOT, value >= 100 ? "%.0f %s" : "%.3g %s", value, unit);
    }

    static double median(double[] values) {
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        int middle = sorted.length / 2;
        return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }
}
