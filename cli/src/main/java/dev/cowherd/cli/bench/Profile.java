package dev.cowherd.cli.bench;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.HdrHistogram.Histogram;

/**
 * Where the time of a run went, by the engine's own events in the JVM's flight recorder: requests that took long, waits of one queue
 * for another, table loads, flush rounds and their stages. Waits and loads are part of the requests that had them, stages of their round, so the
 * rows do not add up to anything.
 */
public final class Profile implements AutoCloseable {
    /** Shorter requests are not recorded one by one: their recording would be most of what they cost. */
    private static final Duration LONG_REQUEST = Duration.ofNanos(50_000);

    private static final int MICRO = 1000;
    private static final double NANOS_PER_MILLI = 1e6;
    /** Events of ours, and the field that tells one kind of them from another. */
    private static final Map<String, String> KINDS = new LinkedHashMap<>();

    static {
        KINDS.put("dev.cowherd.Request", "kind");
        KINDS.put("dev.cowherd.Wait", "what");
        KINDS.put("dev.cowherd.SliceLoad", "");
        KINDS.put("dev.cowherd.FlushRound", "");
        KINDS.put("dev.cowherd.FlushStage", "stage");
    }

    private final Recording recording = new Recording();

    private Profile() {}

    /**
     * Begins to record.
     *
     * @return what records; to be printed, and closed
     */
    public static Profile start() {
        Profile profile = new Profile();
        profile.recording.setName("cowherd bench");
        for (String event : KINDS.keySet()) {
            profile.recording
                    .enable(event)
                    .withThreshold(event.equals("dev.cowherd.Request") ? LONG_REQUEST : Duration.ZERO);
        }
        profile.recording.start();
        return profile;
    }

    /**
     * Ends the recording and prints it.
     *
     * @param out where to
     * @throws IOException if the recorder's file cannot be written or read
     */
    public void print(PrintStream out) throws IOException {
        recording.stop();
        Path file = Files.createTempFile("cowherd-bench", ".jfr");
        Map<String, Histogram> rows = new LinkedHashMap<>();
        try {
            recording.dump(file);
            read(file, rows);
        } finally {
            Files.delete(file);
        }
        out.println("Where the time went (requests of " + LONG_REQUEST.toNanos() / MICRO
                + " µs and more; all else whole):");
        out.printf("%-46s %10s %12s %10s %10s %10s%n", "event", "count", "total ms", "p50 µs", "p99 µs", "max µs");
        for (Map.Entry<String, Histogram> row : sorted(rows)) {
            Histogram nanos = row.getValue();
            out.printf(
                    Locale.ROOT,
                    "%-46s %10d %12.1f %10.1f %10.1f %10.1f%n",
                    row.getKey(),
                    nanos.getTotalCount(),
                    nanos.getMean() * nanos.getTotalCount() / NANOS_PER_MILLI,
                    nanos.getValueAtPercentile(50) / (double) MICRO,
                    nanos.getValueAtPercentile(99) / (double) MICRO,
                    nanos.getMaxValue() / (double) MICRO);
        }
        if (rows.isEmpty()) {
            out.println("nothing took long: no request that did, no wait, no load, no flush");
        }
    }

    private static void read(Path file, Map<String, Histogram> rows) throws IOException {
        try (RecordingFile events = new RecordingFile(file)) {
            while (events.hasMoreEvents()) {
                RecordedEvent event = events.readEvent();
                String name = event.getEventType().getName();
                String field = KINDS.get(name);
                if (field != null) {
                    String shortName = name.substring(name.lastIndexOf('.') + 1);
                    String row = field.isEmpty() ? shortName : shortName + ": " + event.getString(field);
                    rows.computeIfAbsent(row, r -> new Histogram(3))
                            .recordValue(event.getDuration().toNanos());
                }
            }
        }
    }

    /** By event in the order above, the longest in total first. */
    private static List<Map.Entry<String, Histogram>> sorted(Map<String, Histogram> rows) {
        List<String> order = KINDS.keySet().stream()
                .map(name -> name.substring(name.lastIndexOf('.') + 1))
                .toList();
        List<Map.Entry<String, Histogram>> entries = new ArrayList<>(rows.entrySet());
        entries.sort(Comparator.<Map.Entry<String, Histogram>>comparingInt(
                        row -> order.indexOf(row.getKey().split(":", 2)[0]))
                .thenComparingDouble(
                        row -> -row.getValue().getMean() * row.getValue().getTotalCount()));
        return entries;
    }

    @Override
    public void close() {
        recording.close();
    }
}
