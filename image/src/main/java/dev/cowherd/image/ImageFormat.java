package dev.cowherd.image;

import java.util.Locale;

/** The formats a layer of a backing chain can have. */
public enum ImageFormat {
    /** QCOW2, version 2 or 3. */
    QCOW2,
    /** Bytes as they are. */
    RAW;

    /**
     * The name that qemu-img's {@code -f} and the header's backing-format extension use.
     *
     * @return {@code qcow2} or {@code raw}
     */
    public String formatName() {
        return name().toLowerCase(Locale.ROOT);
    }

    /**
     * The format of a name.
     *
     * @param name as {@link #formatName()} gives it
     * @return the format
     * @throws IllegalArgumentException if no format has this name
     */
    public static ImageFormat ofName(String name) {
        for (ImageFormat format : values()) {
            if (format.formatName().equals(name)) {
                return format;
            }
        }
        throw new IllegalArgumentException("unknown image format '" + name + "' (known: qcow2, raw)");
    }
}
