package dev.cowherd.nbd;

import java.io.IOException;

/** A connection's ring has failed: its requests have ended, unanswered, and there is nothing left to serve it with. */
final class RingFailedException extends IOException {
    private static final long serialVersionUID = 1L;

    RingFailedException(IOException why) {
        super(why.getMessage(), why);
    }
}
