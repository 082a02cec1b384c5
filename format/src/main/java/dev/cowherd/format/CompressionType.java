package dev.cowherd.format;

/** How the compressed clusters of an image are coded (header byte 104); one image uses one type. */
public enum CompressionType {
    /** Raw deflate without a zlib header; what images without the field use. */
    ZLIB(0, "zlib"),
    /** Zstandard frames; needs the incompatible feature {@link Feature#COMPRESSION_TYPE}. */
    ZSTD(1, "zstd");

    private final int code;
    private final String label;

    CompressionType(int code, String label) {
        this.code = code;
        this.label = label;
    }

    /**
     * The value on disk.
     *
     * @return the byte in the header
     */
    public int code() {
        return code;
    }

    /**
     * The name that qemu-img uses.
     *
     * @return {@code zlib} or {@code zstd}
     */
    public String label() {
        return label;
    }

    static CompressionType ofCode(int code) throws UnsupportedImageException {
        return switch (code) {
            case 0 -> ZLIB;
            case 1 -> ZSTD;
            default ->
                throw new UnsupportedImageException(
                        "header", HeaderField.COMPRESSION_TYPE, "unknown compression type " + code);
        };
    }
}
