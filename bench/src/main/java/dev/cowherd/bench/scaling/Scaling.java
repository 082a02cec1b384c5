package dev.cowherd.bench.scaling;

import dev.cowherd.bench.CoarseLock;
import dev.cowherd.bench.Fixtures;
import dev.cowherd.bench.Machine;
import dev.cowherd.bench.Rounds;
import dev.cowherd.bench.plot.Chart;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** One command for all that shows how the engine grows: prints Markdown tables, and draws the plots of them. */
public final class Scaling {
    private Scaling() {}

    private interface Group {
        void run() throws IOException;
    }

    /**
     * Runs the groups.
     *
     * @param args {@code --quick} for short runs, {@code --only a,b} for some groups, {@code --rounds N}, {@code --plots F} for where
     *     the plots go, {@code --into F} for a document that has a place for the tables, {@code --folder F} for where images are made
     * @throws IOException if a request or a peer fails
     */
    public static void main(String[] args) throws IOException {
        boolean quick = false;
        int rounds = 5;
        List<String> only = List.of();
        Path folder = Path.of(System.getProperty("java.io.tmpdir"), "cowherd-bench");
        @Nullable Path plots = null;
        @Nullable Path into = null;
        for (int i = 0; i < args.length; i++) {
            switch (args[i]) {
                case "--quick" -> {
                    quick = true;
                    rounds = 2;
                }
                case "--only" -> only = List.of(args[++i].split(",", -1));
                case "--folder" -> folder = Path.of(args[++i]);
                case "--plots" -> plots = Path.of(args[++i]);
                case "--into" -> into = Path.of(args[++i]);
                case "--rounds" -> rounds = Integer.parseInt(args[++i]);
                default ->
                    throw new IOException(
                            "scaling knows --quick, --only GROUPS, --rounds N, --plots F, --into F, --folder F");
            }
        }
        Report report = new Report(System.out, plots, new Rounds(rounds));
        report.paragraph(Machine.inOneLine() + (quick ? "; short runs." : "."));
        Map<String, Group> groups = groups(new Fixtures(folder, quick), report, quick);
        for (String name : only.isEmpty() ? groups.keySet() : only) {
            Group group = groups.get(name);
            if (group == null) {
                throw new IOException("no group " + name + ": there are " + String.join(", ", groups.keySet()));
            }
            long start = System.nanoTime();
            group.run();
            System.err.printf("%s took %.0f s%n", name, (System.nanoTime() - start) / 1e9);
            if (into != null) {
                // After each group: a run that is stopped leaves what it has.
                report.writeInto(into);
            }
        }
    }

    private static Map<String, Group> groups(Fixtures fixtures, Report report, boolean quick) {
        Map<String, Group> groups = new LinkedHashMap<>();
        groups.put("latency", () -> new LatencyScaling(report, quick).run());
        groups.put("seed", () -> new SeedTable(fixtures, report, quick).run());
        groups.put("micro", () -> new MicroSet(fixtures, report, quick).run());
        groups.put("ring", () -> new RingLines(fixtures, report, quick).run());
        groups.put("hotpath", () -> new HotPath(fixtures, report, quick).run());
        groups.put("coarse", () -> coarse(new CoarseLock(fixtures.plainToWrite(), quick ? 0.3 : 2), report));
        return groups;
    }

    private static void coarse(CoarseLock locks, Report report) throws IOException {
        report.section("What one coarse lock would have given");
        for (Chart chart : locks.print(report::say)) {
            report.chart(chart);
        }
    }
}
