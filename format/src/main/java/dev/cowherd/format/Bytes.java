package dev.cowherd.format;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HexFormat;

/** An immutable run of bytes that this engine keeps as it found them, compared by content. */
public final class Bytes {
    /** No bytes at all. */
    public static final Bytes EMPTY = new Bytes(new byte[0]);

    private final byte[] bytes;

    private Bytes(byte[] bytes) {
        this.bytes = bytes;
    }

    /**
     * Copies bytes in.
     *
     * @param bytes the bytes; later changes to the array are not seen
     * @return the same bytes
     */
    public static Bytes of(byte... bytes) {
        return bytes.length == 0 ? EMPTY : new Bytes(bytes.clone());
    }

    /** Takes the next {@code length} bytes of the source, which the caller has checked to be there. */
    static Bytes take(ByteBuffer source, int length) {
        if (length == 0) {
            return EMPTY;
        }
        byte[] taken = new byte[length];
        source.get(taken);
        return new Bytes(taken);
    }

    /**
     * How many bytes there are.
     *
     * @return the length in bytes
     */
    public int length() {
        return bytes.length;
    }

    /**
     * A copy of the bytes.
     *
     * @return a new array
     */
    public byte[] toArray() {
        return bytes.clone();
    }

    /**
     * A read-only, big-endian view of the bytes.
     *
     * @return a new buffer over all of them
     */
    public ByteBuffer buffer() {
        return ByteBuffer.wrap(bytes).asReadOnlyBuffer();
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Bytes that && Arrays.equals(bytes, that.bytes);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(bytes);
    }

    @Override
    public String toString() {
        return HexFormat.of().formatHex(bytes);
    }
}
