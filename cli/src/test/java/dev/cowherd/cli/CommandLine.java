package dev.cowherd.cli;

import dev.cowherd.testkit.Ran;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;

/** Runs command lines in the test's own process, as a user in some folder would. */
final class CommandLine {
    private final Path folder;

    CommandLine(Path folder) {
        this.folder = folder;
    }

    Ran run(String... commandLine) {
        return run(List.of(commandLine));
    }

    Ran run(List<String> commandLine) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        int exit;
        try (PrintStream outStream = new PrintStream(out, false, StandardCharsets.UTF_8);
                PrintStream errStream = new PrintStream(err, false, StandardCharsets.UTF_8)) {
            exit = Main.run(commandLine, outStream, errStream, folder);
        }
        return new Ran(commandLine, exit, out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
    }
}
