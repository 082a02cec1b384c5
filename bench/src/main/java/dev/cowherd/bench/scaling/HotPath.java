package dev.cowherd.bench.scaling;

import dev.cowherd.bench.Fixtures;
import dev.cowherd.bench.hotpath.Requests;
import java.io.IOException;
import java.util.List;
import java.util.Locale;
import org.openjdk.jmh.profile.GCProfiler;
import org.openjdk.jmh.results.Result;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;

/** What a request of 4 KiB takes of the heap, by JMH's own account. */
final class HotPath {
    /** JMH's name for bytes of heap an operation. */
    private static final String BYTES = "gc.alloc.rate.norm";

    private static final int MOST_BYTES = 200;

    private final Fixtures fixtures;
    private final Report report;
    private final boolean quick;

    HotPath(Fixtures fixtures, Report report, boolean quick) {
        this.fixtures = fixtures;
        this.report = report;
        this.quick = quick;
    }

    void run() throws IOException {
        TimeValue time = TimeValue.milliseconds(quick ? 700 : 1000);
        try {
            var results = new Runner(new OptionsBuilder()
                            .include(Requests.class.getName())
                            .addProfiler(GCProfiler.class)
                            .forks(1)
                            .warmupIterations(quick ? 2 : 5)
                            .warmupTime(time)
                            .measurementIterations(quick ? 1 : 5)
                            .measurementTime(time)
                            .verbosity(VerboseMode.SILENT)
                            .jvmArgsAppend(
                                    "-D" + Requests.IMAGE + "=" + fixtures.plainToWrite(),
                                    "--enable-native-access=ALL-UNNAMED",
                                    "--add-exports=java.base/jdk.internal.vm=ALL-UNNAMED")
                            .build())
                    .run();
            report.section("Bytes of heap a request of 4 KiB (JMH, " + BYTES + ")");
            report.head("request", "bytes", "at most", "", "requests a second");
            for (RunResult result : results) {
                row(result);
            }
        } catch (RunnerException e) {
            throw new IOException("JMH: " + e.getMessage(), e);
        }
    }

    private void row(RunResult result) throws IOException {
        Result<?> bytes = result.getSecondaryResults().get(BYTES);
        if (bytes == null) {
            throw new IOException("JMH gave no " + BYTES);
        }
        String name = result.getParams().getBenchmark();
        String engine = result.getParams().getParam("engine");
        report.row(List.of(
                name.substring(name.lastIndexOf('.') + 1) + (engine == null ? "" : ", " + engine),
                String.format(Locale.ROOT, "%.1f", bytes.getScore()),
                Integer.toString(MOST_BYTES),
                bytes.getScore() <= MOST_BYTES ? "met" : "missed",
                Report.thousands(result.getPrimaryResult().getScore())));
    }
}
