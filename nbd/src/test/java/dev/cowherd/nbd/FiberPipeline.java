package dev.cowherd.nbd;

import dev.cowherd.image.RequestQueue;
import dev.cowherd.storage.fiber.FiberLoop;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/** A pipeline of an export that tests serve: each request runs on a fiber, with the one queue there is. */
final class FiberPipeline implements Export.Pipeline {
    private final Export.Queue queue;
    private final FiberLoop loop;
    private final ArrayDeque<Completed> completed = new ArrayDeque<>();

    private record Completed(long token, @Nullable Throwable failure) {}

    FiberPipeline(Export export, FiberLoop loop) throws IOException {
        this.queue = export.openQueue();
        this.loop = loop;
    }

    @Override
    public void read(long token, long offset, MemorySegment destination) {
        perform(token, to -> to.read(offset, destination));
    }

    @Override
    public void write(long token, long offset, MemorySegment source) {
        perform(token, to -> to.write(offset, source));
    }

    @Override
    public void flush(long token) {
        perform(token, Export.Queue::flush);
    }

    @Override
    public void perform(long token, Export.Task task) {
        loop.begin(() -> {
            Throwable failure = null;
            try {
                task.run(queue);
            } catch (IOException | RuntimeException | Error e) {
                failure = e;
            }
            completed.add(new Completed(token, failure));
        });
    }

    @Override
    public void take(RequestQueue.Handler handler) {
        for (Completed next = completed.poll(); next != null; next = completed.poll()) {
            handler.completed(next.token, next.failure);
        }
    }

    @Override
    public void close() throws IOException {
        queue.close();
    }
}
