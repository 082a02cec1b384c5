package dev.cowherd.bench.plot;

import java.util.List;
import java.util.Locale;
import java.util.stream.DoubleStream;

/**
 * Lines over a doubling axis (1, 2, 4, …), drawn as SVG text.
 *
 * @param name the file's, without its ending
 * @param title above the chart
 * @param below what the axis below counts
 * @param beside what the axis at the side counts
 * @param logarithmic whether the side doubles too: straight lines are then what grows in proportion
 * @param lines what to draw, the same places for all
 */
public record Chart(String name, String title, String below, String beside, boolean logarithmic, List<Series> lines) {
    private static final int WIDTH = 610;
    private static final int HEIGHT = 332;
    private static final int LEFT = 70;
    /** Room for the legend: its longest words are those of the coarse locks. */
    private static final int RIGHT = 195;

    private static final int TOP = 52;
    private static final int BOTTOM = 48;
    private static final int LEGEND_LINE = 20;
    /** Seen apart by colour-blind eyes too; each line has a mark of its own besides. */
    private static final List<String> COLOURS =
            List.of("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9");

    /** Keeps its own list. */
    public Chart {
        lines = List.copyOf(lines);
        if (lines.isEmpty() || lines.size() > COLOURS.size()) {
            throw new IllegalArgumentException("a chart shows 1 to " + COLOURS.size() + " lines");
        }
    }

    /**
     * Draws it.
     *
     * @return a whole SVG document
     */
    public String svg() {
        StringBuilder svg = new StringBuilder();
        svg.append("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 ")
                .append(WIDTH + " " + HEIGHT + "\" font-family=\"sans-serif\" font-size=\"12\">\n")
                .append("<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n");
        text(svg, LEFT, 20, "start", "font-size=\"14\" font-weight=\"bold\"", title);
        axes(svg);
        for (int i = 0; i < lines.size(); i++) {
            draw(svg, lines.get(i), i);
        }
        return svg.append("</svg>\n").toString();
    }

    private void axes(StringBuilder svg) {
        for (Series.Point point : lines.getFirst().points()) {
            double x = x(point.at());
            rule(svg, x, TOP, x, HEIGHT - BOTTOM);
            text(svg, x, HEIGHT - BOTTOM + 18, "middle", "", Integer.toString(point.at()));
        }
        text(svg, (LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 10, "middle", "", below);
        for (double value = least(); value <= most() * 1.0001; value = next(value)) {
            double y = y(value);
            rule(svg, LEFT, y, WIDTH - RIGHT, y);
            text(svg, LEFT - 8.0, y + 4, "end", "", figure(value));
        }
        text(svg, 14, TOP - 14.0, "start", "fill=\"#555\" font-size=\"11\"", beside);
    }

    private void draw(StringBuilder svg, Series line, int number) {
        String colour = COLOURS.get(number);
        svg.append("<polyline fill=\"none\" stroke-width=\"2\" stroke=\"")
                .append(colour)
                .append("\" points=\"");
        for (Series.Point point : line.points()) {
            svg.append(format(x(point.at())))
                    .append(',')
                    .append(format(y(point.value())))
                    .append(' ');
        }
        svg.append("\"/>\n");
        for (Series.Point point : line.points()) {
            mark(svg, x(point.at()), y(point.value()), number);
        }
        double legend = TOP + 10.0 + number * LEGEND_LINE;
        mark(svg, WIDTH - RIGHT + 18.0, legend, number);
        text(svg, WIDTH - RIGHT + 28.0, legend + 4, "start", "", line.title());
    }

    private static void mark(StringBuilder svg, double x, double y, int number) {
        String fill = " fill=\"" + COLOURS.get(number) + "\"/>\n";
        switch (number % 3) {
            case 0 -> svg.append("<circle r=\"4\" cx=\"" + format(x) + "\" cy=\"" + format(y) + "\"" + fill);
            case 1 ->
                svg.append("<rect width=\"8\" height=\"8\" x=\"" + format(x - 4) + "\" y=\"" + format(y - 4) + "\""
                        + fill);
            default -> svg.append("<path d=\"M" + format(x) + " " + format(y - 5) + "l5 9h-10z\"" + fill);
        }
    }

    private static void rule(StringBuilder svg, double x1, double y1, double x2, double y2) {
        svg.append("<path stroke=\"#ddd\" d=\"M" + format(x1) + " " + format(y1) + "L" + format(x2) + " " + format(y2)
                + "\"/>\n");
    }

    private static void text(StringBuilder svg, double x, double y, String anchor, String more, String text) {
        String safe = text.replace("&", "&amp;").replace("<", "&lt;");
        svg.append("<text x=\"" + format(x) + "\" y=\"" + format(y) + "\" text-anchor=\"" + anchor + "\" " + more + ">"
                + safe + "</text>\n");
    }

    private double x(int place) {
        List<Series.Point> points = lines.getFirst().points();
        double first = log2(points.getFirst().at());
        double all = log2(points.getLast().at()) - first;
        double part = all == 0 ? 0 : (log2(place) - first) / all;
        return LEFT + part * (WIDTH - RIGHT - LEFT);
    }

    private double y(double value) {
        double part = logarithmic
                ? (log2(Math.max(value, least())) - log2(least())) / (log2(most()) - log2(least()))
                : value / most();
        return HEIGHT - BOTTOM - part * (HEIGHT - BOTTOM - TOP);
    }

    /** Where the side begins: at nothing, or at the round number below the smallest value. */
    private double least() {
        if (!logarithmic) {
            return 0;
        }
        double smallest = values().filter(value -> value > 0).min().orElse(1);
        return Math.min(Math.pow(10, Math.floor(Math.log10(smallest))), most() / 10);
    }

    private double most() {
        double largest = values().max().orElseThrow();
        double power = Math.pow(10, Math.floor(Math.log10(Math.max(largest, 1e-9))));
        for (double step : new double[] {1, 2, 5, 10}) {
            if (largest <= power * step * 1.0001) {
                return logarithmic ? power * 10 : power * step;
            }
        }
        return power * 10;
    }

    private DoubleStream values() {
        return lines.stream().flatMap(line -> line.points().stream()).mapToDouble(Series.Point::value);
    }

    private double next(double value) {
        return logarithmic ? value * 10 : value + most() / 5;
    }

    private static double log2(double value) {
        return Math.log(value) / Math.log(2);
    }

    private static String figure(double value) {
        if (value >= 1e6) {
            return trimmed(value / 1e6) + "M";
        }
        return value >= 1e3 ? trimmed(value / 1e3) + "k" : trimmed(value);
    }

    private static String trimmed(double value) {
        return value == Math.rint(value)
                ? String.format(Locale.ROOT, "%.0f", value)
                : String.format(Locale.ROOT, "%.1f", value);
    }

    private static String format(double value) {
        return String.format(Locale.ROOT, "%.1f", value);
    }
}
