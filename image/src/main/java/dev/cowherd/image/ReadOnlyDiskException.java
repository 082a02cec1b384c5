package dev.cowherd.image;

import java.io.IOException;

/** The disk was opened read-only: nothing was written. */
public final class ReadOnlyDiskException extends IOException {
    private static final long serialVersionUID = 1;

    ReadOnlyDiskException(String path) {
        super(path + ": the disk is open read-only");
    }
}
