package dev.cowherd.image;

import dev.cowherd.format.CompressionType;
import dev.cowherd.format.CorruptImageException;
import dev.cowherd.format.codec.ClusterDecoder;
import java.lang.foreign.MemorySegment;

/** What a queue needs to decompress one cluster after the other; a test can stand in the middle of it. */
interface Decoder {
    /** Makes the decoders of a disk's queues: one a queue and layer. */
    interface Factory {
        /** The real ones. */
        Factory CODECS = type -> {
            ClusterDecoder codec = ClusterDecoder.of(type);
            return new Decoder() {
                @Override
                public void decode(MemorySegment compressed, MemorySegment cluster) throws CorruptImageException {
                    codec.decode(compressed, cluster);
                }

                @Override
                public void close() {
                    codec.close();
                }
            };
        };

        Decoder decoderFor(CompressionType type);

        /** Where they may be used besides the queues' own threads. */
        default SpareCores spareCores() {
            return SpareCores.OF_PROCESS;
        }
    }

    /** Decompresses one cluster, native memory to native memory. */
    void decode(MemorySegment compressed, MemorySegment cluster) throws CorruptImageException;

    /** Gives its memory back. */
    void close();
}
