package dev.cowherd.storage;

import dev.cowherd.storage.fiber.FiberLoop;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/** Does each operation on a fiber, with a loop and a handle of its own: a storage as the ring engine has it, for whoever knows threads only. */
final class OnFiber implements Storage {
    private final Storage shared;

    OnFiber(Storage shared) {
        this.shared = shared;
    }

    private interface Operation<T> {
        T on(Storage storage) throws IOException;
    }

    private interface Action {
        void on(Storage storage) throws IOException;
    }

    private <T> T ask(Operation<T> operation) throws IOException {
        AtomicReference<@Nullable T> answer = new AtomicReference<>();
        AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
        try (FiberLoop loop = FiberLoop.open(1);
                Storage storage = shared.reopenFor(loop)) {
            loop.begin(() -> {
                try {
                    answer.set(operation.on(storage));
                } catch (IOException | RuntimeException | Error e) {
                    failure.set(e);
                }
            });
            while (loop.busy() > 0) {
                loop.turn(1);
            }
        }
        switch (failure.get()) {
            case null -> {}
            case IOException e -> throw e;
            case RuntimeException e -> throw e;
            case Throwable e -> throw new AssertionError(e);
        }
        T answered = answer.get();
        if (answered == null) {
            throw new AssertionError("the operation ended without an answer");
        }
        return answered;
    }

    private void act(Action action) throws IOException {
        boolean _ = ask(storage -> {
            action.on(storage);
            return true;
        });
    }

    @Override
    public String name() {
        return shared.name();
    }

    @Override
    public long sizeBytes() throws IOException {
        return ask(Storage::sizeBytes);
    }

    @Override
    public long read(long offset, MemorySegment destination) throws IOException {
        return ask(storage -> storage.read(offset, destination));
    }

    @Override
    public long readv(long offset, MemorySegment[] destinations, int count) throws IOException {
        return ask(storage -> storage.readv(offset, destinations, count));
    }

    @Override
    public void write(long offset, MemorySegment source) throws IOException {
        act(storage -> storage.write(offset, source));
    }

    @Override
    public void writev(long offset, MemorySegment[] sources, int count) throws IOException {
        act(storage -> storage.writev(offset, sources, count));
    }

    @Override
    public void punchHole(long offset, long length) throws IOException {
        act(storage -> storage.punchHole(offset, length));
    }

    @Override
    public void zero(long offset, long length) throws IOException {
        act(storage -> storage.zero(offset, length));
    }

    @Override
    public void allocate(long offset, long length) throws IOException {
        act(storage -> storage.allocate(offset, length));
    }

    @Override
    public void truncate(long sizeBytes) throws IOException {
        act(storage -> storage.truncate(sizeBytes));
    }

    @Override
    public void sync() throws IOException {
        act(Storage::sync);
    }

    @Override
    public HostRange rangeAt(long offset) throws IOException {
        return ask(storage -> storage.rangeAt(offset));
    }

    @Override
    public int preferredAlignment() {
        return shared.preferredAlignment();
    }

    @Override
    public Storage reopen() throws IOException {
        return new OnFiber(shared.reopen());
    }

    @Override
    public void close() throws IOException {
        shared.close();
    }
}
