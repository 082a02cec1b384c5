package dev.cowherd.nbd;

import java.io.IOException;

/**
 * Does what a client has asked for and may have, and answers it: one request after the other ({@link InTurn}) or many at once
 * ({@link SideBySide}). {@link Transmission} has checked every number: ranges lie inside the export and are not empty.
 */
sealed interface Performer permits InTurn, SideBySide {
    /** A request's header is here, to be taken apart next. */
    void next() throws IOException;

    /** Reads and answers. */
    void read(long cookie, long offset, int length, boolean dontFragment) throws IOException;

    /** Answers which runs hold data. */
    void blockStatus(long cookie, long offset, long length, boolean one) throws IOException;

    /** Takes the payload, which is what comes next, writes it and answers. */
    void write(long cookie, long offset, int length, boolean durable) throws IOException;

    /** Zeroes a range, if asked only where that is fast, and answers. */
    void writeZeroes(long cookie, long offset, long length, boolean mayUnmap, boolean onlyIfFast, boolean durable)
            throws IOException;

    /** Gives space back and answers. */
    void trim(long cookie, long offset, long length, boolean durable) throws IOException;

    /** Answers that it is done; if it is to be durable, after a flush of all that was answered before. */
    void done(long cookie, boolean durable) throws IOException;

    /** Answers that a request was refused. */
    void error(long cookie, int error, String message) throws IOException;
}
