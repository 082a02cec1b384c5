package dev.cowherd.image;

import dev.cowherd.format.CorruptImageException;
import dev.cowherd.metadata.Signal;
import dev.cowherd.metadata.Waits;
import dev.cowherd.storage.LentMemory;
import dev.cowherd.storage.fiber.FiberLoop;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One cluster's decompression, on the thread of its request or on a spare core. Whoever asked for it goes on when it has ended, well or not: until
 * then decoder and memory are its own.
 */
final class Decoding implements Runnable {
    private final Decoder decoder;
    private final MemorySegment compressed;
    private final MemorySegment cluster;
    /** As they came: kept as long as the decoding is, for what nobody else keeps goes with its arena. */
    @SuppressWarnings("UnusedVariable")
    private final List<MemorySegment> lent;

    private final Signal ended = new Signal();
    /** Written before the signal, read after it. */
    private @Nullable Throwable failure;

    private Decoding(Decoder decoder, MemorySegment compressed, MemorySegment cluster) {
        this.decoder = decoder;
        this.compressed = LentMemory.of(compressed);
        this.cluster = LentMemory.of(cluster);
        this.lent = List.of(compressed, cluster);
    }

    /**
     * Decompresses native memory to native memory. On a fiber whose thread has other work to go on with, on a spare core if there is one: the
     * fiber is left meanwhile.
     */
    static void decode(Decoder decoder, MemorySegment compressed, MemorySegment cluster, SpareCores cores, Waits waits)
            throws CorruptImageException {
        if (FiberLoop.othersCanGoOn()) {
            Decoding elsewhere = new Decoding(decoder, compressed, cluster);
            if (cores.take(elsewhere)) {
                waits.await(elsewhere.ended);
                elsewhere.rethrow();
                return;
            }
        }
        cores.doing();
        try {
            decoder.decode(compressed, cluster);
        } finally {
            cores.done();
        }
    }

    @Override
    public void run() {
        try {
            decoder.decode(compressed, cluster);
        } catch (Throwable e) {
            failure = e;
        } finally {
            ended.fire();
        }
    }

    private void rethrow() throws CorruptImageException {
        switch (failure) {
            case null -> {}
            case CorruptImageException e -> throw e;
            case RuntimeException e -> throw e;
            case Error e -> throw e;
            case Throwable e -> throw new IllegalStateException("a decoder throws what it does not declare", e);
        }
    }
}
