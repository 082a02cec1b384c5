package dev.cowherd.format.codec;

import dev.cowherd.format.CorruptImageException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;

/** Raw deflate, of any window. */
final class DeflateDecoder implements ClusterDecoder {
    private static final String STRUCTURE = "compressed cluster (deflate)";

    private final Inflater inflater = new Inflater(true);
    private boolean closed;

    @Override
    public void decode(MemorySegment compressed, MemorySegment cluster) throws CorruptImageException {
        if (closed) {
            throw new IllegalStateException("decoder is closed");
        }
        ByteBuffer out = cluster.asByteBuffer();
        inflater.reset();
        inflater.setInput(compressed.asByteBuffer());
        try {
            while (out.hasRemaining() && inflater.inflate(out) > 0) {
                // Goes on until the cluster is full or the stream gives no more.
            }
        } catch (DataFormatException e) {
            CorruptImageException corrupt = new CorruptImageException(STRUCTURE, -1, String.valueOf(e.getMessage()));
            corrupt.initCause(e);
            throw corrupt;
        }
        if (out.hasRemaining()) {
            throw new CorruptImageException(
                    STRUCTURE, -1, "gives " + out.position() + " bytes of a cluster of " + out.capacity());
        }
    }

    @Override
    public void close() {
        closed = true;
        inflater.end();
    }
}
