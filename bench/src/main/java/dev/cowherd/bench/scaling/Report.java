package dev.cowherd.bench.scaling;

import dev.cowherd.bench.Line;
import dev.cowherd.bench.Rounds;
import dev.cowherd.bench.plot.Chart;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** Where figures go as they come: Markdown on a stream, and at the end between two marks of a document; charts in a folder. */
final class Report {
    private static final String BEGIN = "<!-- bench/scaling: begin -->\n";
    private static final String END = "<!-- bench/scaling: end -->";

    private final PrintStream out;
    private final StringBuilder text = new StringBuilder();
    private final @Nullable Path plots;
    private final Rounds rounds;

    /**
     * Starts an empty report.
     *
     * @param plots where charts are written, or null for none
     */
    Report(PrintStream out, @Nullable Path plots, Rounds rounds) {
        this.out = out;
        this.plots = plots;
        this.rounds = rounds;
    }

    Rounds rounds() {
        return rounds;
    }

    /** One line of the report. */
    void say(String line) {
        out.println(line);
        out.flush();
        text.append(line).append('\n');
    }

    void section(String title) {
        say("");
        say("### " + title);
        say("");
    }

    void paragraph(String words) {
        say("");
        say(words);
    }

    void head(String... cells) {
        row(List.of(cells));
        say("|" + "---|".repeat(cells.length));
    }

    void row(List<String> cells) {
        say("| " + String.join(" | ", cells) + " |");
    }

    /** Begins a table of ratios. */
    void lines() {
        say(Line.header());
    }

    void line(Line line) {
        say(line.row());
    }

    /** Puts all of the report between the marks of a document, in place of what is there. */
    void writeInto(Path document) throws IOException {
        String whole = Files.readString(document);
        int from = whole.indexOf(BEGIN);
        int to = whole.indexOf(END);
        if (from < 0 || to < from) {
            throw new IOException(document + " has no place for the report");
        }
        Files.writeString(document, whole.substring(0, from + BEGIN.length()) + text + "\n" + whole.substring(to));
    }

    void chart(Chart chart) throws IOException {
        if (plots != null) {
            Files.createDirectories(plots);
            Files.writeString(plots.resolve(chart.name() + ".svg"), chart.svg());
        }
    }

    static String thousands(double perSecond) {
        return String.format(Locale.ROOT, perSecond >= 100_000 ? "%.0fk" : "%.1fk", perSecond / 1000);
    }
}
