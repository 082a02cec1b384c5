package dev.cowherd.format;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Images by the real QEMU 10 in a folder of the caller. */
public final class QemuImages {
    private static final String BIN = bin();

    private final Path folder;

    public QemuImages(Path folder) {
        this.folder = folder;
    }

    /** The path of an image in the folder. */
    public Path path(String name) {
        return folder.resolve(name);
    }

    /** Runs qemu-img in the folder; it must succeed. */
    public String qemuImg(String... arguments) {
        Result result = run("qemu-img", arguments);
        if (result.exit() != 0) {
            throw new AssertionError("qemu-img " + String.join(" ", arguments) + ": " + result.output());
        }
        return result.output();
    }

    /** How a run ended. */
    public record Result(int exit, String output) {}

    /** Runs one of QEMU's tools in the folder. */
    public Result run(String tool, String... arguments) {
        List<String> command = new ArrayList<>(List.of(BIN + "/" + tool));
        command.addAll(List.of(arguments));
        try {
            Process process = new ProcessBuilder(command)
                    .directory(folder.toFile())
                    .redirectErrorStream(true)
                    .start();
            String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            return new Result(process.waitFor(), output);
        } catch (IOException e) {
            throw new UncheckedIOException("run scripts/peers first", e);
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    private static String bin() {
        Path root = Path.of(System.getProperty("cowherd.root", ".."));
        Path script = root.resolve("scripts/peers").toAbsolutePath().normalize();
        if (!Files.exists(script)) {
            throw new AssertionError("no " + script);
        }
        try {
            Process process = new ProcessBuilder(script.toString(), "--qemu10").start();
            return new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
