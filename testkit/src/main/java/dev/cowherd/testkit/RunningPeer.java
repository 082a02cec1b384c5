package dev.cowherd.testkit;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/**
 * A peer that runs beside the test, such as a server; killed at close.
 *
 * <p>One thread uses it.
 */
public final class RunningPeer implements AutoCloseable {
    private static final Duration PATIENCE = Duration.ofSeconds(30);
    private static final long POLL_NANOS = 2_000_000;

    private final List<String> command;
    private final Process process;
    private final StringBuilder said = new StringBuilder();
    private final CompletableFuture<String> saidAll;

    private RunningPeer(List<String> command) {
        this.command = command;
        this.process = Processes.start(new ProcessBuilder(command).redirectErrorStream(true));
        this.saidAll = Processes.drain(process.getInputStream(), this::hear);
    }

    /**
     * Starts a program.
     *
     * @param command the program and its arguments
     * @return the running program
     * @throws AssertionError if it cannot be started
     */
    public static RunningPeer start(List<String> command) {
        return new RunningPeer(List.copyOf(command));
    }

    /**
     * Waits until a file, such as a server's socket, is there.
     *
     * @param path the file
     * @return this
     * @throws AssertionError if the program ends first, or the file is not there within half a minute
     */
    public RunningPeer awaitFile(Path path) {
        return await("the file " + path, () -> Files.exists(path));
    }

    /**
     * Waits until a condition holds that the program brings about.
     *
     * @param what the condition, in words for the error
     * @param condition asked again and again until it holds
     * @return this
     * @throws AssertionError if the program ends first, or the condition does not hold within half a minute
     */
    public RunningPeer await(String what, BooleanSupplier condition) {
        long end = System.nanoTime() + PATIENCE.toNanos();
        while (!condition.getAsBoolean()) {
            if (!process.isAlive()) {
                throw new AssertionError(String.join(" ", command) + " ended with " + process.exitValue() + " before "
                        + what + ": " + saidAll.join());
            }
            if (System.nanoTime() > end) {
                throw new AssertionError(String.join(" ", command) + ": no sign of " + what + " within " + PATIENCE);
            }
            LockSupport.parkNanos(POLL_NANOS);
        }
        return this;
    }

    /**
     * Waits until the program has said something, on standard output or error.
     *
     * @param text part of what it says
     * @return this
     * @throws AssertionError if the program ends first, or does not say it within half a minute
     */
    public RunningPeer awaitSaid(String text) {
        return await("the text " + text, () -> hasSaid(text));
    }

    private void hear(String text) {
        synchronized (said) {
            said.append(text);
        }
    }

    private boolean hasSaid(String text) {
        synchronized (said) {
            return said.indexOf(text) >= 0;
        }
    }

    /**
     * The process, for its number and for signals. Not its streams: they are read here, and a second reader would take
     * part of what is said.
     *
     * @return the handle of the process
     */
    public ProcessHandle process() {
        return process.toHandle();
    }

    /**
     * Waits for the end that something else brings about.
     *
     * @return how it ended; standard output and error are one text, in {@link Ran#out()}
     * @throws AssertionError if it does not end within half a minute
     */
    public Ran awaitEnd() {
        try {
            if (!process.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)) {
                throw new AssertionError(String.join(" ", command) + " did not end within " + PATIENCE);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AssertionError("interrupted while waiting for " + String.join(" ", command), e);
        }
        return new Ran(command, process.exitValue(), saidAll.join(), "");
    }

    /** Kills the program if it still runs, and waits for its end. */
    @Override
    public void close() {
        process.destroyForcibly();
        process.onExit().join();
    }
}
