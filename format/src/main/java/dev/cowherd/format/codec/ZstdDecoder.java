package dev.cowherd.format.codec;

import com.github.luben.zstd.ZstdDecompressCtx;
import com.github.luben.zstd.ZstdException;
import dev.cowherd.format.CorruptImageException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;

/** Zstandard, one or more frames. */
final class ZstdDecoder implements ClusterDecoder {
    private static final String STRUCTURE = "compressed cluster (zstd)";

    private final ZstdDecompressCtx context = new ZstdDecompressCtx();
    private boolean closed;

    @Override
    public void decode(MemorySegment compressed, MemorySegment cluster) throws CorruptImageException {
        if (closed) {
            throw new IllegalStateException("decoder is closed");
        }
        ByteBuffer in = compressed.asByteBuffer();
        ByteBuffer out = cluster.asByteBuffer();
        boolean frameEnded = false;
        try {
            context.reset();
            while (out.hasRemaining()) {
                int progress = in.position() + out.position();
                frameEnded = context.decompressDirectByteBufferStream(out, in);
                if (in.position() + out.position() == progress) {
                    break;
                }
            }
        } catch (ZstdException e) {
            CorruptImageException corrupt = new CorruptImageException(STRUCTURE, -1, String.valueOf(e.getMessage()));
            corrupt.initCause(e);
            throw corrupt;
        }
        if (out.hasRemaining() || !frameEnded) {
            throw new CorruptImageException(
                    STRUCTURE,
                    -1,
                    out.hasRemaining()
                            ? "gives " + out.position() + " bytes of a cluster of " + out.capacity()
                            : "gives more than a cluster of " + out.capacity() + " bytes");
        }
    }

    @Override
    public void close() {
        closed = true;
        context.close();
    }
}
