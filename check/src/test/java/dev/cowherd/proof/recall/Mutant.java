package dev.cowherd.proof.recall;

import java.io.IOException;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import javax.tools.JavaCompiler;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;

/**
 * A fault put back: one piece of one source file replaced by another.
 *
 * @param id its number in the list of known faults
 * @param fault what goes wrong, in a few words
 * @param source the file, from the project's top folder
 * @param right the piece as it is, which must be there exactly once
 * @param wrong the piece with the fault
 * @param suites what should notice: test classes, each with {@code #method} or without
 */
record Mutant(String id, String fault, String source, String right, String wrong, List<String> suites) {
    /** Compiles the changed file alone, against the classes of the project, into a folder that goes before them. */
    void compile(Path projectFolder, String classPath, Path into) throws IOException {
        String text = Files.readString(projectFolder.resolve(source));
        int at = text.indexOf(right);
        if (at < 0 || text.indexOf(right, at + 1) >= 0) {
            throw new IOException(id + ": the piece to replace must be in " + source + " exactly once; the code has"
                    + " changed, so change the fault in Mutants too");
        }
        Path changed = into.resolve("src").resolve(Path.of(source).getFileName());
        Files.createDirectories(changed.getParent());
        Files.writeString(changed, text.replace(right, wrong));
        Path classes = Files.createDirectories(into.resolve("classes"));
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        StringWriter complaints = new StringWriter();
        try (StandardJavaFileManager files = compiler.getStandardFileManager(null, null, null)) {
            List<String> options =
                    List.of("-d", classes.toString(), "-cp", classPath, "-proc:none", "-nowarn", "-implicit:none");
            boolean fine = compiler.getTask(complaints, files, null, options, null, files.getJavaFileObjects(changed))
                    .call();
            if (!fine) {
                throw new IOException(id + ": the fault does not compile: " + complaints);
            }
        }
    }
}
