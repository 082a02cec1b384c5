package dev.cowherd.cli;

import dev.cowherd.cli.demo.Demonstration;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** {@code cowherd demo}: makes its own images and shows, in well under a minute, what this engine does. */
final class DemoCommand implements Command {
    @Override
    public int run(Invocation in) throws Exception {
        Flags flags = new Flags(in.args());
        flags.next();
        if (!flags.operands().isEmpty()) {
            throw new CommandException("demo takes no arguments");
        }
        Path folder = Files.createTempDirectory("cowherd-demo-");
        Thread hook = new Thread(() -> remove(folder, in), "demo-cleanup"); // for Ctrl-C
        Runtime.getRuntime().addShutdownHook(hook);
        try {
            Demonstration.USUAL.run(folder, in.out());
            return 0;
        } finally {
            remove(folder, in);
        }
    }

    private static void remove(Path folder, Invocation in) {
        try {
            List<Path> files;
            try (Stream<Path> listed = Files.list(folder)) {
                files = listed.toList();
            } catch (NoSuchFileException e) {
                return; // removed already
            }
            for (Path file : files) {
                Files.deleteIfExists(file);
            }
            Files.deleteIfExists(folder);
        } catch (IOException e) {
            in.err().println("cowherd: " + folder + " could not be removed: " + e.getMessage());
        }
    }
}
