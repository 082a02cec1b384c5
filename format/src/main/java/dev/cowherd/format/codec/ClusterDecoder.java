package dev.cowherd.format.codec;

import dev.cowherd.format.CompressionType;
import dev.cowherd.format.CorruptImageException;
import java.lang.foreign.MemorySegment;

/**
 * Decompresses clusters, one after the other, into memory of the caller.
 *
 * <p>Accepts what QEMU accepts: the compressed data is counted in 512-byte sectors, so the stream may end before the
 * input does and be followed by bytes of others; it must fill the cluster.
 *
 * <p>Not thread-safe: one queue owns one decoder. Holds native memory until {@link #close()}.
 */
public sealed interface ClusterDecoder extends AutoCloseable permits DeflateDecoder, ZstdDecoder, JavaZstdDecoder {
    /**
     * A new decoder of the fastest kind that works on this machine.
     *
     * @param type the image's compression type
     * @return the decoder, to be closed by the caller
     */
    static ClusterDecoder of(CompressionType type) {
        return switch (type) {
            case ZLIB -> new DeflateDecoder(true);
            case ZSTD -> ZstdDecoder.isAvailable() ? new ZstdDecoder() : new JavaZstdDecoder();
        };
    }

    /**
     * Decompresses one cluster.
     *
     * @param compressed the compressed data, in native memory
     * @param cluster where the cluster goes: exactly one cluster, in native memory; its content is undefined after an
     *     exception
     * @throws CorruptImageException if the data does not decompress to a whole cluster
     * @throws IllegalStateException if the decoder is closed
     */
    void decode(MemorySegment compressed, MemorySegment cluster) throws CorruptImageException;

    /** Frees the decoder's memory; a second call does nothing. */
    @Override
    void close();
}
