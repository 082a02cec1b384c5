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

/** Where figures go as they come: Markdown on a stream, charts in a folder. */
final class Report {
    private final PrintStream out;
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

    void section(String title) {
        out.println();
        out.println("### " + title);
        out.println();
    }

    void paragraph(String text) {
        out.println();
        out.println(text);
    }

    void head(String... cells) {
        row(List.of(cells));
        out.println("|" + "---|".repeat(cells.length));
    }

    void row(List<String> cells) {
        out.println("| " + String.join(" | ", cells) + " |");
        out.flush();
    }

    /** Begins a table of ratios. */
    void lines() {
        out.println(Line.header());
    }

    void line(Line line) {
        out.println(line.row());
        out.flush();
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
