package dev.cowherd.storage;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A real QEMU that keeps an image open, and short commands of the same QEMU. */
final class QemuHolder implements AutoCloseable {
    private final Process process;

    private QemuHolder(Process process) {
        this.process = process;
    }

    /** The folders of the QEMUs on this machine: 10 as the project's own script names it, and the system's. */
    static List<Path> installations() {
        try {
            Path script = Path.of(System.getProperty("cowherd.root"), "scripts", "peers");
            Process asked = new ProcessBuilder(script.toString(), "--qemu10").start();
            Path ten;
            try (BufferedReader answer = asked.inputReader()) {
                ten = Path.of(answer.readLine());
            }
            return List.of(ten, Path.of("/usr/bin")).stream()
                    .filter(folder -> Files.isExecutable(folder.resolve("qemu-io")))
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Starts qemu-io on an image and returns when it has it open and has read from it. */
    static QemuHolder open(Path qemu, Path image, String... options) throws IOException {
        List<String> command = new ArrayList<>(List.of(qemu.resolve("qemu-io").toString()));
        command.addAll(List.of(options));
        command.add(image.toString());
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        process.getOutputStream().write("read 0 512\n".getBytes(StandardCharsets.US_ASCII));
        process.getOutputStream().flush();
        String line;
        StringBuilder seen = new StringBuilder();
        // The reader stays open: closing it would take qemu-io's output away.
        BufferedReader output = process.inputReader();
        while ((line = output.readLine()) != null) {
            if (line.contains("read 512/512 bytes")) {
                return new QemuHolder(process);
            }
            seen.append(line).append('\n');
        }
        throw new IOException("qemu-io did not open " + image + ": " + seen);
    }

    /** Runs a command of QEMU to its end: what it printed, with its exit code before. */
    static String run(Path qemu, String... command) throws Exception {
        List<String> words = new ArrayList<>(List.of(command));
        words.set(0, qemu.resolve(command[0]).toString());
        Process process = new ProcessBuilder(words).redirectErrorStream(true).start();
        process.getOutputStream().close();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (!process.waitFor(30, TimeUnit.SECONDS)) {
            process.destroyForcibly();
            throw new IOException(words + " does not end");
        }
        return process.exitValue() + "\n" + output;
    }

    @Override
    public void close() throws IOException {
        process.getOutputStream().close();
        process.onExit().join();
    }
}
