package dev.cowherd.bench;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Runs the peers and our own command line as whole processes. */
public final class Processes {
    private Processes() {}

    /**
     * The reference QEMU, where {@code scripts/peers} put it.
     *
     * @param tool the program's name
     * @return where it is
     * @throws IOException if it is not known where
     */
    public static Path qemu10(String tool) throws IOException {
        String folder = System.getProperty("cowherd.qemu10");
        if (folder == null) {
            throw new IOException("QEMU 10 is not known: start by bench/compare");
        }
        return Path.of(folder, tool);
    }

    /** Our own launcher. */
    static String cowherd() throws IOException {
        String launcher = System.getProperty("cowherd.launcher");
        if (launcher == null || !Files.isExecutable(Path.of(launcher))) {
            throw new IOException("the built command line is not known: start by bench/compare");
        }
        return launcher;
    }

    /**
     * Runs a command to its end.
     *
     * @param command the program and its arguments
     * @return what it printed
     * @throws IOException if it fails; what it printed is part of the message
     */
    public static String run(String... command) throws IOException {
        return feed("", command);
    }

    /** The same with standard input. */
    static String feed(String input, String... command) throws IOException {
        Path printed = Files.createTempFile("cowherd-bench", ".out");
        try {
            Process process = new ProcessBuilder(command)
                    .redirectErrorStream(true)
                    .redirectOutput(printed.toFile())
                    .start();
            try (OutputStream in = process.getOutputStream()) {
                in.write(input.getBytes(StandardCharsets.UTF_8));
            }
            int exit = await(process);
            String output = Files.readString(printed);
            if (exit != 0) {
                throw new IOException(
                        String.join(" ", List.of(command)) + " ended with " + exit + ": " + output.strip());
            }
            return output;
        } finally {
            Files.delete(printed);
        }
    }

    /** Seconds of wall time from start to end. */
    static double seconds(String... command) throws IOException {
        long start = System.nanoTime();
        run(command);
        return (System.nanoTime() - start) / 1e9;
    }

    static int await(Process process) throws IOException {
        try {
            return process.waitFor();
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }
}
