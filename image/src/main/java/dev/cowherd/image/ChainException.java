package dev.cowherd.image;

import java.io.IOException;

/**
 * A backing chain that cannot be opened: a file it names is missing or not allowed, or the chain is a loop or too deep. The message
 * is one line for people that names the image, the file it asks for, and what to do.
 */
public final class ChainException extends IOException {
    private static final long serialVersionUID = 1L;

    /**
     * Creates the exception.
     *
     * @param image the image that asks for the file
     * @param reason what is wrong with it
     */
    public ChainException(String image, String reason) {
        super(image + ": " + reason);
    }

    /**
     * Creates the exception with what the host said.
     *
     * @param image the image that asks for the file
     * @param reason what is wrong with it
     * @param cause the host's error
     */
    public ChainException(String image, String reason, Throwable cause) {
        super(image + ": " + reason, cause);
    }
}
