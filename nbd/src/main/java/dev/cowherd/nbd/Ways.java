package dev.cowherd.nbd;

import dev.cowherd.image.Engine;
import dev.cowherd.storage.fiber.FiberLoop;
import java.io.IOException;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;

/** Opens connections' ways to one export, by the engine that was asked for and can be had. Safe for any number of threads. */
final class Ways {
    private final Export export;
    private final NbdOptions options;
    private final Loops loops;
    private final boolean ring;
    /** The ring was asked for by name, of the server or of the disk: then nothing stands in for it. */
    private final boolean required;

    private final AtomicBoolean said = new AtomicBoolean();

    /** How a connection's thread gets its loop. */
    interface Loops {
        FiberLoop open(int depth) throws IOException;
    }

    private Ways(Export export, NbdOptions options, Loops loops, boolean ring, boolean required) {
        this.export = export;
        this.options = options;
        this.loops = loops;
        this.ring = ring;
        this.required = required;
    }

    /**
     * Decides on the engine; where {@link Engine#AUTO} would take the ring and cannot have it the log is told why.
     *
     * @throws IOException if {@link Engine#RING} was asked for, of the server or when the disk was opened, and cannot be had
     */
    static Ways to(Export export, NbdOptions options, Loops loops) throws IOException {
        Engine asked = options.engine() == Engine.AUTO ? export.engine() : options.engine();
        Engine wanted = asked == Engine.AUTO ? export.suitedEngine(options.maxInflight()) : asked;
        if (wanted == Engine.SYNC) {
            return new Ways(export, options, loops, false, false);
        }
        if (export.engine() == Engine.SYNC) {
            throw new IOException("the ring engine cannot be had: the disk was opened for system calls");
        }
        Optional<String> refusal = SocketDescriptor.refusal().or(FiberLoop::refusal);
        Ways ways = new Ways(export, options, loops, refusal.isEmpty(), asked == Engine.RING);
        if (refusal.isPresent()) {
            if (ways.required) {
                throw new IOException("the ring engine cannot be had: " + refusal.get());
            }
            ways.sayOnce(refusal.get());
        }
        return ways;
    }

    Engine engine() {
        return ring ? Engine.RING : Engine.SYNC;
    }

    /** For the calling thread. */
    Way open() throws IOException {
        if (!ring) {
            return new Way.OneQueue(export.openQueue());
        }
        FiberLoop loop;
        try {
            // Each request may have its transfer, and the socket its two, in one turn.
            loop = loops.open(options.maxInflight() + 2);
        } catch (IOException e) {
            if (required) {
                throw e;
            }
            sayOnce(String.valueOf(e.getMessage()));
            return new Way.OneQueue(export.openQueue());
        }
        try {
            // One more, for the flush that many of them wait for.
            return new Way.OnRing(loop, export.openPipeline(loop, options.maxInflight() + 1));
        } catch (IOException | RuntimeException | Error e) {
            loop.close();
            throw e;
        }
    }

    private void sayOnce(String refusal) {
        if (said.compareAndSet(false, true)) {
            options.log().accept("using system calls instead of io_uring: " + refusal);
        }
    }
}
