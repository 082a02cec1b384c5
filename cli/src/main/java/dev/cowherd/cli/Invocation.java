package dev.cowherd.cli;

import java.io.PrintStream;
import java.nio.file.Path;
import java.util.List;

/**
 * What a command is given: its arguments and the streams and folder it may use. Tests build it by hand and run commands
 * in their own process.
 *
 * @param args the arguments after the command's name, global flags taken out
 * @param out standard output, buffered; {@link Main} flushes it at the end (a command that shows progress flushes by itself)
 * @param err standard error
 * @param folder the folder that relative names start from; the empty path for the process's own
 * @param compat7 whether to print the forms of QEMU 7.2 instead of those of QEMU 10
 */
record Invocation(List<String> args, PrintStream out, PrintStream err, Path folder, boolean compat7) {
    /** The path an operand names. */
    Path path(String operand) {
        return folder.resolve(operand);
    }
}
