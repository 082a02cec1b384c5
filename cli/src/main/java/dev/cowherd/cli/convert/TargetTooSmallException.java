package dev.cowherd.cli.convert;

import java.io.IOException;

/** A target that is to be written into as it is, and does not have room for the source. Its message is qemu-img's. */
public final class TargetTooSmallException extends IOException {
    private static final long serialVersionUID = 1L;

    TargetTooSmallException() {
        super("output file is smaller than input file");
    }
}
