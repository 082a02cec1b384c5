package dev.cowherd.format;

import org.jspecify.annotations.Nullable;

/** An image that breaks the rules of the format; reading on could return bytes that no guest wrote. */
public final class CorruptImageException extends ImageFormatException {
    private static final long serialVersionUID = 1L;

    /**
     * Creates the exception without a path.
     *
     * @param structure the structure at fault, in the format's words
     * @param offset host offset of the fault in bytes, or -1 where no single place is at fault
     * @param reason what is wrong, with the offending value
     */
    public CorruptImageException(String structure, long offset, String reason) {
        this(null, structure, offset, reason);
    }

    private CorruptImageException(@Nullable String path, String structure, long offset, String reason) {
        super(path, structure, offset, reason);
    }

    @Override
    public CorruptImageException withPath(String path) {
        if (path() != null) {
            return this;
        }
        CorruptImageException named = new CorruptImageException(path, structure(), offset(), reason());
        named.initCause(this);
        return named;
    }
}
