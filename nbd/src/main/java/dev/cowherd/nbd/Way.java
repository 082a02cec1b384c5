package dev.cowherd.nbd;

import dev.cowherd.storage.fiber.FiberLoop;
import java.io.IOException;

/** A connection's way to the export: where the engines differ. */
sealed interface Way extends AutoCloseable {
    @Override
    void close() throws IOException;

    /**
     * By system calls, one request after the other.
     *
     * @param queue the connection's own
     */
    record OneQueue(Export.Queue queue) implements Way {
        @Override
        public void close() throws IOException {
            queue.close();
        }
    }

    /**
     * By a ring, many requests at once.
     *
     * @param loop the connection's thread's
     * @param pipeline on that loop
     */
    record OnRing(FiberLoop loop, Export.Pipeline pipeline) implements Way {
        @Override
        public void close() throws IOException {
            try (loop) {
                pipeline.close();
            }
        }
    }
}
