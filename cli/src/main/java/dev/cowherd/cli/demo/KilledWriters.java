package dev.cowherd.cli.demo;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/**
 * A {@link WriterChild} from its start to its violent end, and what it had said by then.
 *
 * @param durable how many writes of each queue are on the disk for certain
 * @param flushes how many flushes had returned
 * @param verifiedBytes how many bytes it had read back and found right
 */
record KilledWriters(List<Long> durable, long flushes, long verifiedBytes) {
    /**
     * Starts a child, lets it write, and kills it.
     *
     * @param image what it writes
     * @param folder for what it says on standard error
     * @param time how long it writes, from its first flush on
     * @throws IOException if it ends by itself, with its own words
     */
    static KilledWriters run(Path image, Path folder, Duration time) throws IOException {
        File errors = folder.resolve("writers.err").toFile();
        Process child = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "--enable-native-access=ALL-UNNAMED",
                        "-Xmx256m",
                        "-cp",
                        System.getProperty("java.class.path"),
                        WriterChild.class.getName(),
                        image.toString())
                .redirectError(errors)
                .start();
        try (BufferedReader lines = child.inputReader(StandardCharsets.UTF_8)) {
            KilledWriters seen = new KilledWriters(List.of(0L, 0L, 0L, 0L), 0, 0);
            long end = Long.MAX_VALUE;
            boolean killed = false;
            // What it printed before it died is true, so the lines are read to their end.
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                seen = seen.with(line);
                if (end == Long.MAX_VALUE) {
                    end = System.nanoTime() + time.toNanos();
                } else if (!killed && System.nanoTime() > end) {
                    child.toHandle().destroyForcibly(); // Process.destroyForcibly would close the stream too
                    killed = true;
                }
            }
            if (!killed) {
                throw new IOException("the writing process ended by itself: "
                        + Files.readString(errors.toPath()).strip());
            }
            return seen;
        } finally {
            child.destroyForcibly();
            awaitEnd(child);
        }
    }

    private KilledWriters with(String line) throws IOException {
        String[] words = line.split(" ", -1);
        if (words.length != WriteScript.QUEUES + 3 || !words[0].equals("durable")) {
            // The last line may be torn; an earlier one that is wrong shows as a child that ended by itself.
            return this;
        }
        long[] most = new long[WriteScript.QUEUES];
        for (int i = 0; i < most.length; i++) {
            most[i] = Math.max(durable.get(i), Long.parseLong(words[i + 1]));
        }
        return new KilledWriters(
                List.of(most[0], most[1], most[2], most[3]),
                Math.max(flushes, Long.parseLong(words[WriteScript.QUEUES + 1])),
                Math.max(verifiedBytes, Long.parseLong(words[WriteScript.QUEUES + 2])));
    }

    long writes() {
        return durable.stream().mapToLong(Long::longValue).sum();
    }

    private static void awaitEnd(Process child) throws IOException {
        try {
            child.waitFor();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }
}
