package dev.cowherd.testkit;

import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/** Runs programs to their end, bounded in time, with both outputs drained while they run. */
public final class Processes {
    /** Generous: a peer on a busy machine is slow, only one that hangs reaches this. */
    private static final Duration LIMIT = Duration.ofMinutes(3);

    private static final int CHUNK_CHARS = 8192;

    private static final Executor DRAINS =
            work -> Thread.ofVirtual().name("drain").start(work);

    private Processes() {}

    /**
     * Runs a program and waits for its end.
     *
     * @param command the program and its arguments
     * @return how it ended
     * @throws AssertionError if it cannot be started or does not end within minutes; then it is killed
     */
    public static Ran run(String... command) {
        return run(List.of(command));
    }

    /**
     * Runs a program and waits for its end.
     *
     * @param command the program and its arguments
     * @return how it ended
     * @throws AssertionError if it cannot be started or does not end within minutes; then it is killed
     */
    public static Ran run(List<String> command) {
        Process process = start(new ProcessBuilder(command));
        try {
            process.getOutputStream().close();
            CompletableFuture<String> out = drain(process.getInputStream());
            CompletableFuture<String> err = drain(process.getErrorStream());
            if (!process.waitFor(LIMIT.toSeconds(), TimeUnit.SECONDS)) {
                throw new AssertionError("did not end within " + LIMIT + ": " + String.join(" ", command));
            }
            return new Ran(command, process.exitValue(), out.join(), err.join());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AssertionError("interrupted while waiting for " + String.join(" ", command), e);
        } finally {
            process.destroyForcibly();
        }
    }

    static Process start(ProcessBuilder builder) {
        try {
            return builder.start();
        } catch (IOException e) {
            throw new AssertionError("cannot start " + String.join(" ", builder.command()), e);
        }
    }

    private static CompletableFuture<String> drain(InputStream stream) {
        return drain(stream, text -> {});
    }

    /** Reads a stream to its end on a thread of its own, and tells of each piece as it comes. */
    static CompletableFuture<String> drain(InputStream stream, Consumer<String> pieces) {
        return CompletableFuture.supplyAsync(
                () -> {
                    try (Reader reader = new InputStreamReader(stream, StandardCharsets.UTF_8)) {
                        StringBuilder all = new StringBuilder();
                        char[] chunk = new char[CHUNK_CHARS];
                        for (int count = reader.read(chunk); count >= 0; count = reader.read(chunk)) {
                            all.append(chunk, 0, count);
                            pieces.accept(new String(chunk, 0, count));
                        }
                        return all.toString();
                    } catch (IOException e) {
                        throw new UncheckedIOException(e);
                    }
                },
                DRAINS);
    }
}
