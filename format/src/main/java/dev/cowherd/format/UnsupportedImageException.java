package dev.cowherd.format;

import org.jspecify.annotations.Nullable;

/** A valid image that asks for something this engine does not know or does not do, named in the message. */
public final class UnsupportedImageException extends ImageFormatException {
    private static final long serialVersionUID = 1L;

    /**
     * Creates the exception without a path.
     *
     * @param structure the structure at fault, in the format's words
     * @param offset host offset of the fault in bytes, or -1 where no single place is at fault
     * @param reason what is wrong, with the offending value
     */
    public UnsupportedImageException(String structure, long offset, String reason) {
        this(null, structure, offset, reason);
    }

    private UnsupportedImageException(@Nullable String path, String structure, long offset, String reason) {
        super(path, structure, offset, reason);
    }

    @Override
    public UnsupportedImageException withPath(String path) {
        if (path() != null) {
            return this;
        }
        UnsupportedImageException named = new UnsupportedImageException(path, structure(), offset(), reason());
        named.initCause(this);
        return named;
    }
}
