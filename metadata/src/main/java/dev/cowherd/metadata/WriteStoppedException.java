package dev.cowherd.metadata;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** The image takes no more writes until it is opened again; reading goes on. A guest sees an input/output error (EIO). */
public final class WriteStoppedException extends IOException {
    private static final long serialVersionUID = 1;

    /**
     * Creates it.
     *
     * @param path the image
     * @param reason why writing stopped
     * @param cause what happened first, or null
     */
    public WriteStoppedException(String path, String reason, @Nullable Throwable cause) {
        super(path + ": writing has stopped: " + reason, cause);
    }
}
