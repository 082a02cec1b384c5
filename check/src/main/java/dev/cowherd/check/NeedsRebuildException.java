package dev.cowherd.check;

import java.io.IOException;

/** The refcount structures are broken: only {@link RepairMode#ALL} makes new ones. Nothing was changed. */
public final class NeedsRebuildException extends IOException {
    private static final long serialVersionUID = 1;

    NeedsRebuildException(String message) {
        super(message);
    }
}
