package dev.cowherd.image;

import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/** A disk that stands still: its files hold everything and do not change until this is closed. Any thread may close it. */
public final class Quiesced implements AutoCloseable {
    private final AtomicReference<@Nullable Runnable> end;

    Quiesced(Runnable end) {
        this.end = new AtomicReference<>(end);
    }

    /** Lets requests go on. Does nothing the second time. */
    @Override
    public void close() {
        Runnable once = end.getAndSet(null);
        if (once != null) {
            once.run();
        }
    }
}
