package dev.cowherd.image;

import dev.cowherd.storage.Storage;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** Closes many things: every one is tried, the first error is thrown at the end and carries the others. */
final class Closing {
    /** One thing to close. */
    interface Step {
        void run() throws IOException;
    }

    private @Nullable Exception first;

    void run(Step step) {
        try {
            step.run();
        } catch (IOException | RuntimeException e) {
            if (first == null) {
                first = e;
            } else {
                first.addSuppressed(e);
            }
        }
    }

    void finish() throws IOException {
        switch (first) {
            case null -> {}
            case IOException e -> throw e;
            case RuntimeException e -> throw e;
            default -> throw new AssertionError(first);
        }
    }

    /** Gives a layer's storages back because of a failure that will be thrown; errors on the way are added to it. */
    static void quietly(Throwable cause, Storage file, @Nullable Storage data) {
        try {
            file.close();
        } catch (IOException | RuntimeException e) {
            cause.addSuppressed(e);
        }
        if (data != null) {
            quietly(cause, data, null);
        }
    }
}
