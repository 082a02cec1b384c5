package dev.cowherd.format;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * An image that cannot be used as it is: what is wrong, in which structure, at which host offset.
 *
 * <p>Two kinds: {@link CorruptImageException} breaks the format's rules, {@link UnsupportedImageException} asks for
 * something that this engine does not know. Codecs throw it without a path; who opened the file adds it by
 * {@link #withPath(String)}.
 */
public abstract sealed class ImageFormatException extends IOException
        permits CorruptImageException, UnsupportedImageException {
    private static final long serialVersionUID = 1L;

    private final transient @Nullable String path;
    private final transient String structure;
    private final transient long offset;
    private final transient String reason;

    ImageFormatException(@Nullable String path, String structure, long offset, String reason) {
        super(Text.oneLine((path == null ? "" : path + ": ")
                + structure
                + (offset < 0 ? "" : " at offset 0x" + Long.toHexString(offset))
                + ": "
                + reason));
        this.path = path;
        this.structure = structure;
        this.offset = offset;
        this.reason = Text.oneLine(reason);
    }

    /**
     * The same fault with the file it was found in.
     *
     * @param path the file, as the user named it
     * @return an exception of the same kind with this one as its cause, or this one if it already has a path
     */
    public abstract ImageFormatException withPath(String path);

    /**
     * The file the fault was found in.
     *
     * @return its path, or null if the codec did not know it
     */
    public @Nullable String path() {
        return path;
    }

    /**
     * The structure at fault, in the format's words, such as {@code L2 table}.
     *
     * @return the structure
     */
    public String structure() {
        return structure;
    }

    /**
     * Where the fault lies.
     *
     * @return the host offset in bytes, or -1 where no single place is at fault
     */
    public long offset() {
        return offset;
    }

    /**
     * What is wrong, with the offending value.
     *
     * @return one line without path and place; control characters that came from the image are question marks
     */
    public String reason() {
        return reason;
    }
}
