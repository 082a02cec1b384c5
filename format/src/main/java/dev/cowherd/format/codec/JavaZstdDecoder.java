package dev.cowherd.format.codec;

import dev.cowherd.format.CorruptImageException;
import io.airlift.compress.v3.zstd.ZstdJavaDecompressor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Zstandard, one or more frames, in Java: for machines that the native library does not load on. */
final class JavaZstdDecoder implements ClusterDecoder {
    private static final String STRUCTURE = "compressed cluster (zstd)";

    private final ZstdJavaDecompressor decompressor = new ZstdJavaDecompressor();
    private boolean closed;

    @Override
    public void decode(MemorySegment compressed, MemorySegment cluster) throws CorruptImageException {
        if (closed) {
            throw new IllegalStateException("decoder is closed");
        }
        byte[] out = new byte[(int) cluster.byteSize()];
        long from = 0;
        int done = 0;
        while (done < out.length) {
            long frame = ZstdFrame.bytes(compressed, from);
            if (frame < 0) {
                throw new CorruptImageException(
                        STRUCTURE, -1, "no whole frame at byte " + from + ", after " + done + " bytes of the cluster");
            }
            if (!ZstdFrame.isSkippable(compressed, from)) {
                byte[] in = compressed.asSlice(from, frame).toArray(ValueLayout.JAVA_BYTE);
                done += decompress(in, out, done);
            }
            from += frame;
        }
        MemorySegment.copy(out, 0, cluster, ValueLayout.JAVA_BYTE, 0, out.length);
    }

    private int decompress(byte[] frame, byte[] out, int at) throws CorruptImageException {
        try {
            return decompressor.decompress(frame, 0, frame.length, out, at, out.length - at);
        } catch (RuntimeException e) {
            // The library reports damage by several kinds of exception; it gets nothing else from us than these bytes.
            CorruptImageException corrupt = new CorruptImageException(STRUCTURE, -1, String.valueOf(e.getMessage()));
            corrupt.initCause(e);
            throw corrupt;
        }
    }

    @Override
    public void close() {
        closed = true;
    }
}
