package dev.cowherd.format.codec;

import dev.cowherd.format.CorruptImageException;
import io.airlift.compress.v3.MalformedInputException;
import io.airlift.compress.v3.deflate.DeflateNativeDecompressor;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;
import org.jspecify.annotations.Nullable;

/**
 * Raw deflate, of any window.
 *
 * <p>libdeflate is twice as fast as the JDK's zlib but wants the stream to end with the cluster. Whatever it refuses,
 * zlib judges again: that is what QEMU uses, and QEMU takes a stream that would go on beyond a full cluster.
 */
final class DeflateDecoder implements ClusterDecoder {
    private static final String STRUCTURE = "compressed cluster (deflate)";

    private final @Nullable DeflateNativeDecompressor fast;
    private final Inflater inflater = new Inflater(true);
    private boolean closed;

    DeflateDecoder(boolean nativeCode) {
        fast = nativeCode && DeflateNativeDecompressor.isEnabled() ? new DeflateNativeDecompressor() : null;
    }

    @Override
    public void decode(MemorySegment compressed, MemorySegment cluster) throws CorruptImageException {
        if (closed) {
            throw new IllegalStateException("decoder is closed");
        }
        if (fast == null) {
            inflate(compressed, cluster, null);
            return;
        }
        try {
            if (fast.decompress(compressed, cluster) != cluster.byteSize()) {
                inflate(compressed, cluster, null);
            }
        } catch (MalformedInputException e) {
            inflate(compressed, cluster, e);
        }
    }

    private void inflate(MemorySegment compressed, MemorySegment cluster, @Nullable Exception before)
            throws CorruptImageException {
        ByteBuffer out = cluster.asByteBuffer();
        inflater.reset();
        inflater.setInput(compressed.asByteBuffer());
        Exception cause = before;
        String reason = null;
        try {
            // A call that gives nothing has come to the stream's end or to that of the input.
            while (out.hasRemaining() && inflater.inflate(out) > 0) {}
        } catch (DataFormatException e) {
            cause = e;
            reason = String.valueOf(e.getMessage());
        }
        if (out.hasRemaining() && reason == null) {
            reason = "gives " + out.position() + " bytes of a cluster of " + out.capacity();
        }
        if (reason != null) {
            CorruptImageException corrupt = new CorruptImageException(STRUCTURE, -1, reason);
            corrupt.initCause(cause);
            throw corrupt;
        }
    }

    @Override
    public void close() {
        closed = true;
        // The fast one has no close: its native part goes when it is collected.
        inflater.end();
    }
}
