package dev.cowherd.cli.demo;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A program of someone else's that copies a disk from an NBD server into a file, if this machine has one; what it copied is
 * then verified.
 *
 * @param name what it is called
 * @param connections how many connections it opens
 */
record RealClient(String name, Path program, int connections) {
    private static final int CONNECTIONS = 4;
    private static final long PATIENCE_SECONDS = 120;

    /** The best client that is installed, or null. */
    static @Nullable RealClient find() {
        Path nbdcopy = programNamed("nbdcopy");
        if (nbdcopy != null) {
            return new RealClient("nbdcopy", nbdcopy, CONNECTIONS);
        }
        Path qemuImg = programNamed("qemu-img");
        return qemuImg == null ? null : new RealClient("qemu-img convert", qemuImg, 1);
    }

    /** {@code qemu-img}, or null if it is not installed. */
    static @Nullable Path qemuImg() {
        return programNamed("qemu-img");
    }

    /**
     * Copies a whole disk.
     *
     * @param uri where the server listens
     * @param file the file to make
     * @throws IOException if the client fails, with its own words
     */
    void copy(String uri, Path file) throws IOException {
        List<String> command = name.equals("nbdcopy")
                ? List.of(program.toString(), "--connections=" + connections, "--requests=16", uri, file.toString())
                : List.of(program.toString(), "convert", "-f", "raw", "-O", "raw", uri, file.toString());
        run(command);
    }

    /**
     * Runs a program to its end.
     *
     * @throws IOException if it fails or does not end
     */
    static void run(List<String> command) throws IOException {
        Path log = Files.createTempFile("cowherd-demo", ".log");
        try {
            Process process = new ProcessBuilder(command)
                    .redirectErrorStream(true)
                    .redirectOutput(log.toFile())
                    .start();
            process.getOutputStream().close();
            String failure = endOf(process);
            if (failure != null) {
                String said =
                        Files.readString(log, StandardCharsets.UTF_8).strip().replace('\n', ' ');
                throw new IOException(String.join(" ", command) + ": " + failure + (said.isEmpty() ? "" : ": " + said));
            }
        } finally {
            Files.deleteIfExists(log);
        }
    }

    private static @Nullable String endOf(Process process) throws IOException {
        try {
            if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
                process.destroyForcibly();
                return "did not end within " + PATIENCE_SECONDS + " s";
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
        return process.exitValue() == 0 ? null : "exit code " + process.exitValue();
    }

    /** Verifies every byte of a copy of the disk. */
    static long verifyFile(Path file, long sizeBytes) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ);
                Arena arena = Arena.ofConfined()) {
            if (channel.size() != sizeBytes) {
                throw new IOException("the copy has " + channel.size() + " bytes, the disk " + sizeBytes);
            }
            MemorySegment bytes = channel.map(FileChannel.MapMode.READ_ONLY, 0, sizeBytes, arena);
            VerifiedRead.verify(bytes, 0, sizeBytes >> DemoContent.CLUSTER_BITS);
        }
        return sizeBytes;
    }

    private static @Nullable Path programNamed(String name) {
        List<Path> folders = new ArrayList<>();
        String path = System.getenv("PATH");
        for (String folder : (path == null ? "" : path).split(":", -1)) {
            if (!folder.isEmpty()) {
                folders.add(Path.of(folder));
            }
        }
        for (Path folder : folders) {
            Path program = folder.resolve(name);
            if (Files.isRegularFile(program) && Files.isExecutable(program)) {
                return program;
            }
        }
        return null;
    }
}
