package dev.cowherd.cli;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import org.jspecify.annotations.Nullable;

/** Standard output that remembers the failure which a print stream would swallow. */
final class StandardOutput extends FileOutputStream {
    /** What a shell reports of a program that a closed pipe has killed. */
    private static final int CLOSED_PIPE = 141;

    private @Nullable IOException failure;

    StandardOutput() {
        super(FileDescriptor.out);
    }

    @Override
    public void write(byte[] bytes, int from, int length) throws IOException {
        try {
            super.write(bytes, from, length);
        } catch (IOException e) {
            failure = e;
            throw e;
        }
    }

    /** The exit code of a run that ended with {@code otherwise}. Says nothing where the reader has just gone away. */
    int exitCode(int otherwise, PrintStream err) {
        IOException reason = failure;
        if (reason == null) {
            return otherwise;
        }
        String message = String.valueOf(reason.getMessage());
        if (message.contains("Broken pipe")) {
            return CLOSED_PIPE;
        }
        err.println("cowherd: could not write to standard output: ".concat(message));
        return 1;
    }
}
