package dev.cowherd.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** An NBD server in a process of its own, ours, QEMU's or nbdkit, on a Unix socket. */
final class NbdPeers implements AutoCloseable {
    private final Process process;
    private final Path socket;

    private NbdPeers(Process process, Path socket) {
        this.process = process;
        this.socket = socket;
    }

    String uri() {
        return "nbd+unix:///?socket=" + socket;
    }

    /** Ours; the flags are those of {@code serve nbd}. */
    static NbdPeers ours(Path image, Path folder, boolean writable, String javaOptions, String... flags)
            throws IOException {
        Path socket = fresh(folder, "ours" + String.join("", flags).replace(' ', '-'));
        List<String> command = new ArrayList<>(List.of(Processes.cowherd(), "serve", "nbd"));
        command.addAll(List.of(flags));
        if (!writable) {
            command.add("-r");
        }
        command.addAll(List.of("--socket", socket.toString(), image.toString()));
        ProcessBuilder builder = new ProcessBuilder(command);
        builder.environment().putAll(javaOptions.isEmpty() ? Map.of() : Map.of("COWHERD_JAVA_OPTS", javaOptions));
        Process process = builder.redirectErrorStream(true).start();
        // It prints its address once it listens.
        BufferedReader out =
                new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
        StringBuilder printed = new StringBuilder();
        for (String line = out.readLine(); line != null; line = out.readLine()) {
            printed.append(line).append('\n');
            if (line.contains("nbd+unix:")) {
                return new NbdPeers(process, socket);
            }
        }
        throw new IOException("our server did not start: " + printed);
    }

    static NbdPeers qemu(Path image, Path folder, boolean writable) throws IOException {
        Path socket = fresh(folder, "qemu");
        List<String> command = new ArrayList<>(
                List.of(Processes.qemu10("qemu-nbd").toString(), "-t", "-e", "8", "-f", "qcow2", "--cache=writeback"));
        if (!writable) {
            command.add("-r");
        }
        command.addAll(List.of("--aio=io_uring", "-k", socket.toString(), image.toString()));
        return started(command, socket);
    }

    /** nbdkit's file plugin on a raw file. */
    static NbdPeers nbdkit(Path raw, Path folder, boolean writable) throws IOException {
        Path socket = fresh(folder, "nbdkit");
        List<String> command = new ArrayList<>(List.of("nbdkit", "--foreground", "--unix", socket.toString()));
        if (!writable) {
            command.add("--readonly");
        }
        command.addAll(List.of("file", raw.toString()));
        return started(command, socket);
    }

    private static NbdPeers started(List<String> command, Path socket) throws IOException {
        Process process = new ProcessBuilder(command).inheritIO().start();
        while (!Files.exists(socket)) {
            if (!process.isAlive()) {
                throw new IOException(command.get(0) + " did not start");
            }
            Thread.onSpinWait();
        }
        return new NbdPeers(process, socket);
    }

    private static Path fresh(Path folder, String name) throws IOException {
        Path socket = folder.resolve(name + ".sock");
        Files.deleteIfExists(socket);
        return socket;
    }

    @Override
    public void close() throws IOException {
        process.destroy();
        Processes.await(process);
        Files.deleteIfExists(socket);
    }
}
