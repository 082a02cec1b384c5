package dev.cowherd.format.codec;

import com.github.luben.zstd.Zstd;
import com.github.luben.zstd.ZstdDecompressCtx;
import com.github.luben.zstd.ZstdException;
import com.github.luben.zstd.util.Native;
import dev.cowherd.format.CorruptImageException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;

/**
 * Zstandard, one or more frames, by the native library.
 *
 * <p>Each frame is decoded in one go, straight into the cluster: the streaming interface would make room for the window
 * that a frame claims to need, which can be 128 MiB.
 */
final class ZstdDecoder implements ClusterDecoder {
    private static final String STRUCTURE = "compressed cluster (zstd)";

    private final ZstdDecompressCtx context = new ZstdDecompressCtx();
    private boolean closed;

    /** Whether the native library can be loaded on this machine. */
    static boolean isAvailable() {
        try {
            Native.load();
            return Native.isLoaded();
        } catch (LinkageError e) {
            return false;
        }
    }

    @Override
    public void decode(MemorySegment compressed, MemorySegment cluster) throws CorruptImageException {
        if (closed) {
            throw new IllegalStateException("decoder is closed");
        }
        ByteBuffer in = compressed.asByteBuffer();
        ByteBuffer out = cluster.asByteBuffer();
        int from = 0;
        int done = 0;
        while (done < out.capacity()) {
            int left = in.capacity() - from;
            if (left == 0) {
                throw corrupt("gives " + done + " bytes of a cluster of " + out.capacity());
            }
            // The input goes on to the end of a sector; the library wants to know where the frame ends.
            long frame = Zstd.findDirectByteBufferFrameCompressedSize(in, from, left);
            if (Zstd.isError(frame) || frame <= 0 || frame > left) {
                throw corrupt("no whole frame at byte " + from + ", after " + done + " bytes of the cluster");
            }
            try {
                done += context.decompressDirectByteBuffer(out, done, out.capacity() - done, in, from, (int) frame);
            } catch (ZstdException e) {
                CorruptImageException corrupt = corrupt(e.getMessage() + ", in the frame at byte " + from);
                corrupt.initCause(e);
                throw corrupt;
            }
            from += (int) frame;
        }
    }

    private static CorruptImageException corrupt(String reason) {
        return new CorruptImageException(STRUCTURE, -1, reason);
    }

    @Override
    public void close() {
        closed = true;
        context.close();
    }
}
