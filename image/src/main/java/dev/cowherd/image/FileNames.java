package dev.cowherd.image;

/** Reads the names of files that images carry, with QEMU's rules, which are about the text alone. */
final class FileNames {
    private static final String FILE_PREFIX = "file:";

    private FileNames() {}

    /** Whether QEMU would take the name for something else than a file: what stands before a colon is a protocol's name. */
    static boolean hasProtocol(String name) {
        int colon = name.indexOf(':');
        if (colon < 0 || name.startsWith(FILE_PREFIX)) {
            return false;
        }
        int slash = name.indexOf('/');
        return slash < 0 || colon < slash;
    }

    /**
     * The path that a name in an image means.
     *
     * @param image the path of the image, as given
     * @param name without a protocol; a relative one is taken from the image's folder, but from the working folder if it starts
     *     with {@code file:}
     */
    static String resolve(String image, String name) {
        if (name.startsWith(FILE_PREFIX)) {
            return name.substring(FILE_PREFIX.length());
        }
        if (name.startsWith("/")) {
            return name;
        }
        return image.substring(0, image.lastIndexOf('/') + 1) + name;
    }
}
