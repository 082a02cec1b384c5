package dev.cowherd.cli;

import dev.cowherd.testkit.Ran;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Runs our command line, in this process or in one of its own. */
final class CommandRun {
    private CommandRun() {}

    static Ran cowherd(Path folder, String... args) {
        return new CommandLine(folder).run(args);
    }

    /** What starts the command line as a process. */
    static List<String> ownProcess(String... args) {
        String classes = System.getProperty("java.class.path") + ":" + System.getProperty("jdk.module.path", "");
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                classes,
                "dev.cowherd.cli.Main"));
        command.addAll(List.of(args));
        return command;
    }
}
