package dev.cowherd.cli;

import java.io.ByteArrayOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The run by which the build teaches the JVM's ahead-of-time cache which classes the one-shot commands need. Not for people: the
 * launcher never calls it.
 */
final class Training {
    private static final String[] COMMAND_LINES = {
        "--version",
        "info",
        "info --output=json",
        "info --backing-chain",
        "map",
        "map --output=json",
        "measure -O qcow2",
        "measure -O qcow2 --output=json",
        "check",
        "check --output=json",
    };

    private Training() {}

    /**
     * Runs every one-shot command on an image and fails if one of them does.
     *
     * @param args the image
     */
    public static void main(String[] args) {
        PrintStream err = new PrintStream(new FileOutputStream(FileDescriptor.err), true, StandardCharsets.UTF_8);
        int failed = 0;
        for (String line : COMMAND_LINES) {
            List<String> commandLine = new ArrayList<>(List.of(line.split(" ")));
            if (commandLine.size() > 1 || !line.startsWith("-")) {
                commandLine.add(args[0]);
            }
            ByteArrayOutputStream answer = new ByteArrayOutputStream();
            PrintStream out = new PrintStream(answer, false, StandardCharsets.UTF_8);
            if (Main.run(commandLine, out, err, Path.of("")) != 0) {
                err.println("training: '" + String.join(" ", commandLine) + "' failed");
                failed++;
            }
        }
        Runtime.getRuntime().exit(failed == 0 ? 0 : 1);
    }
}
