package dev.cowherd.bench.scaling;

import dev.cowherd.bench.Line;
import dev.cowherd.bench.Rounds;
import dev.cowherd.bench.plot.Chart;
import dev.cowherd.bench.plot.Series;
import dev.cowherd.image.Engine;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Throughput over the number of queues where each host operation takes its time. */
final class LatencyScaling {
    static final int[] QUEUES = {1, 2, 4, 8, 16};
    private static final long[] LATENCIES = {100_000, 1_000_000};
    private static final int DEEP = 32;
    private static final int MOST_QUEUES = 16;
    private static final double NANOS_PER_MICRO = 1e3;

    /** An engine at a depth. */
    private record Setting(Engine engine, int depth) {
        String title() {
            return engine == Engine.SYNC ? "sync" : "ring, depth " + depth;
        }
    }

    /** A queue of the sync engine has one request under way, however many it was given. */
    private static final List<Setting> SETTINGS =
            List.of(new Setting(Engine.SYNC, 1), new Setting(Engine.RING, 1), new Setting(Engine.RING, DEEP));

    private final Report report;
    private final LatencyHost host;
    private final LatencyHost once;

    LatencyScaling(Report report, boolean quick) {
        this.report = report;
        this.host = quick ? new LatencyHost(0.1, 0.1) : new LatencyHost(0.5, 1);
        this.once = quick ? new LatencyHost(0.2, 0.25) : new LatencyHost(0.5, 1);
    }

    void run() throws IOException {
        compile();
        List<String> delays = new ArrayList<>();
        for (long latency : LATENCIES) {
            String of = latency / 1_000_000.0 >= 1 ? latency / 1_000_000 + " ms" : latency / 1000 + " µs";
            report.section("A host that takes " + of + " an operation, thousands of requests a second");
            report.head("work", "engine", "1 queue", "2", "4", "8", "16", "16 : 1", "CPU µs a request");
            row("nothing", "threads that pause", (queues, depth) -> host.barePauses(queues, latency), 1);
            for (LatencyHost.Work work : LatencyHost.Work.values()) {
                List<Series> lines = new ArrayList<>();
                for (Setting setting : SETTINGS) {
                    lines.add(row(work, setting, latency, delays));
                }
                report.chart(new Chart(
                        "latency-" + latency / 1000 + "us-" + work.name().toLowerCase(Locale.ROOT),
                        capitalized(work.title) + ", " + of + " an operation",
                        "queues",
                        "requests/s",
                        true,
                        lines));
            }
        }
        report.paragraph("A pause was really " + String.join(", ", delays) + ".");
        targets();
    }

    private static String capitalized(String text) {
        return text.substring(0, 1).toUpperCase(Locale.ROOT) + text.substring(1);
    }

    /** What is measured runs for hours elsewhere: not its first seconds. */
    private void compile() throws IOException {
        for (LatencyHost.Work work : LatencyHost.Work.values()) {
            for (Setting setting : SETTINGS) {
                once.run(work, setting.engine, 2, DEEP, 10_000);
            }
        }
    }

    private interface Run {
        LatencyHost.Outcome of(int queues, int depth) throws IOException;
    }

    private Series row(LatencyHost.Work work, Setting setting, long latency, List<String> delays) throws IOException {
        return row(
                work.title,
                setting.title(),
                (queues, depth) -> {
                    LatencyHost.Outcome outcome = host.run(work, setting.engine, queues, depth, latency);
                    if (work == LatencyHost.Work.READS && queues == 1 && depth == 1) {
                        delays.add(String.format(
                                Locale.ROOT,
                                "%.0f µs instead of %.0f (%s)",
                                outcome.pauseMicros(),
                                latency / NANOS_PER_MICRO,
                                setting.engine == Engine.SYNC ? "sync" : "ring"));
                    }
                    return outcome;
                },
                setting.depth);
    }

    private Series row(String work, String title, Run run, int depth) throws IOException {
        double[] rates = new double[QUEUES.length];
        double cpu = 0;
        List<String> cells = new ArrayList<>(List.of(work, title));
        for (int i = 0; i < QUEUES.length; i++) {
            LatencyHost.Outcome outcome = run.of(QUEUES[i], depth);
            rates[i] = outcome.perSecond();
            cpu = outcome.cpuMicros();
            cells.add(Report.thousands(rates[i]));
        }
        cells.add(String.format(Locale.ROOT, "%.1f ×", rates[QUEUES.length - 1] / rates[0]));
        cells.add(String.format(Locale.ROOT, "%.1f", cpu));
        report.row(cells);
        return Series.of(title, QUEUES, rates);
    }

    private void targets() throws IOException {
        Rounds rounds = report.rounds();
        report.section("16 queues at depth 1, 100 µs an operation");
        report.lines();
        report.line(rounds.line(
                "pauses and nothing else (what the machine gives), 16 threads",
                "1 thread",
                15,
                "/s",
                () -> once.barePauses(MOST_QUEUES, LATENCIES[0]).perSecond(),
                () -> once.barePauses(1, LATENCIES[0]).perSecond()));
        for (Engine engine : List.of(Engine.SYNC, Engine.RING)) {
            for (LatencyHost.Work work : LatencyHost.Work.values()) {
                if (work != LatencyHost.Work.MIXED) {
                    Line line = rounds.line(
                            work.title + ", " + engine.name().toLowerCase(Locale.ROOT) + ", 16 queues",
                            "our 1 queue",
                            work == LatencyHost.Work.ALLOCATING ? 12 : 15,
                            "/s",
                            () -> once.run(work, engine, MOST_QUEUES, 1, LATENCIES[0])
                                    .perSecond(),
                            () -> once.run(work, engine, 1, 1, LATENCIES[0]).perSecond());
                    report.line(line);
                }
            }
        }
    }
}
