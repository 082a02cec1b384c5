package dev.cowherd.cli;

import dev.cowherd.image.DiskOptions;
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
 * @param backingFolders folders, beside the image's own, that backing and data files may lie in
 * @param rawBacking whether a backing file of no stated format is raw
 */
record Invocation(
        List<String> args,
        PrintStream out,
        PrintStream err,
        Path folder,
        boolean compat7,
        List<String> backingFolders,
        boolean rawBacking) {
    /** What a disk is opened with where a command's own flags say nothing else. */
    DiskOptions diskOptions() {
        return DiskOptions.defaults()
                .withBackingFolders(backingFolders.stream().map(this::path).toList())
                .withUnnamedBackingAsRaw(rawBacking);
    }

    /** Tells a person something that ends nothing. */
    void warn(String line) {
        err.println("cowherd: ".concat(Failures.oneLine(line)));
    }

    /** The path an operand names. */
    Path path(String operand) {
        return folder.resolve(operand);
    }
}
