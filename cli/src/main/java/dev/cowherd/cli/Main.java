package dev.cowherd.cli;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The entry of the command line: finds the command, runs it, and makes one line of whatever went wrong.
 *
 * <p>Scripts call the one-shot commands thousands of times, so this class and what it loads stays free of reflection,
 * lambdas, regular expressions and formatters.
 */
public final class Main {
    private static final String VERSION = "0.1.0";

    private Main() {}

    /**
     * Runs one command and ends the process with its exit code.
     *
     * @param args the command line
     */
    public static void main(String[] args) {
        // The bytes of names go out as they are stored in images, whatever the locale says.
        StandardOutput sink = new StandardOutput();
        PrintStream out = new PrintStream(sink, false, StandardCharsets.UTF_8);
        PrintStream err = new PrintStream(new FileOutputStream(FileDescriptor.err), true, StandardCharsets.UTF_8);
        int exitCode = run(Arrays.asList(args), out, err, Path.of(""));
        out.flush();
        Runtime.getRuntime().halt(sink.exitCode(exitCode, err));
    }

    /** Runs one command line in this process; everything it prints goes to the two streams. */
    static int run(List<String> commandLine, PrintStream out, PrintStream err, Path folder) {
        boolean debug = false;
        boolean compat7 = false;
        boolean rawBacking = false;
        List<String> backingFolders = new ArrayList<>();
        boolean flagsEnded = false;
        String name = null;
        List<String> args = new ArrayList<>();
        for (int i = 0; i < commandLine.size(); i++) {
            String arg = commandLine.get(i);
            flagsEnded |= arg.equals("--");
            if (!flagsEnded && arg.equals("--debug")) {
                debug = true;
            } else if (!flagsEnded && arg.equals("--raw-backing")) {
                rawBacking = true;
            } else if (!flagsEnded && arg.startsWith("--backing-folder=")) {
                backingFolders.add(arg.substring("--backing-folder=".length()));
            } else if (!flagsEnded && arg.equals("--backing-folder")) {
                if (++i == commandLine.size()) {
                    return fail(err, "--backing-folder needs a folder");
                }
                backingFolders.add(commandLine.get(i));
            } else if (!flagsEnded && arg.startsWith("--compat-output")) {
                if (!arg.equals("--compat-output=7") && !arg.equals("--compat-output=10")) {
                    return fail(err, "--compat-output must be 7 or 10");
                }
                compat7 = arg.equals("--compat-output=7");
            } else if (name == null) {
                name = arg;
            } else {
                args.add(arg);
            }
        }
        try {
            int exitCode = dispatch(name, new Invocation(args, out, err, folder, compat7, backingFolders, rawBacking));
            out.flush();
            return exitCode;
        } catch (CommandException e) {
            out.flush();
            show(e, debug, err);
            fail(err, e.getMessage());
            return e.exitCode();
        } catch (Throwable e) { // The end of the line: whatever it is, a person reads one line of it.
            out.flush();
            show(e, debug, err);
            return fail(err, Failures.lineOf(e));
        }
    }

    private static int dispatch(@Nullable String name, Invocation in) throws Exception {
        if (name == null) {
            throw new CommandException("not enough arguments; try 'cowherd --help'");
        }
        if (name.equals("--version") || name.equals("-V")) {
            in.out().println("cowherd version ".concat(VERSION));
            return 0;
        }
        if (name.equals("--help") || name.equals("-h") || name.equals("help")) {
            return new HelpCommand().run(in);
        }
        Command command = commandNamed(name);
        if (command == null) {
            throw new CommandException(
                    name.startsWith("-")
                            ? "unrecognized option '" + name + "'; try 'cowherd --help'"
                            : "Command not found: " + name);
        }
        return command.run(in);
    }

    /** One command a line; a command that is not there yet refuses by name. */
    private static @Nullable Command commandNamed(String name) throws CommandException {
        return switch (name) {
            case "info" -> new InfoCommand();
            case "map" -> new MapCommand();
            case "measure" -> new MeasureCommand();
            case "check" -> new CheckCommand();
            case "convert" -> new ConvertCommand();
            case "compare" -> new CompareCommand();
            case "bench" -> new BenchCommand();
            case "serve" -> new ServeCommand();
            case "demo" -> new DemoCommand();
            case "create" -> new CreateCommand();
            case "resize" -> new ResizeCommand();
            case "snapshot" -> new SnapshotCommand();
            case "amend", "bitmap", "commit", "dd", "rebase" -> notYet(name);
            default -> null;
        };
    }

    private static Command notYet(String name) throws CommandException {
        throw new CommandException("the command '" + name + "' is not implemented yet");
    }

    private static int fail(PrintStream err, @Nullable String line) {
        err.println("cowherd: ".concat(line == null ? "failed" : Failures.harmless(line)));
        return 1;
    }

    private static void show(Throwable e, boolean debug, PrintStream err) {
        if (debug) {
            e.printStackTrace(err);
        }
    }
}
