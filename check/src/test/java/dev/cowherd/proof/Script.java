package dev.cowherd.proof;

import dev.cowherd.image.Request;
import dev.cowherd.testkit.lab.ModelDisk;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What a guest asks for, one request after the other; the model is told of each when it begins and when it has ended. */
abstract class Script {
    private final ModelDisk model;
    private final boolean mayFail;
    private final List<IOException> failures = new ArrayList<>();

    /** If requests may fail, failures are kept and the guest goes on. */
    Script(ModelDisk model, boolean mayFail) {
        this.model = model;
        this.mayFail = mayFail;
    }

    /** A request that has begun for the model. */
    static final class Asked {
        final Request request;
        private final Outcome outcome;

        private Asked(Request request, Outcome outcome) {
            this.request = request;
            this.outcome = outcome;
        }

        /** Its answer has come: null, or why it failed. */
        void ended(@Nullable Throwable failure) throws IOException {
            outcome.is(failure);
        }
    }

    private interface Outcome {
        void is(@Nullable Throwable failure) throws IOException;
    }

    /** Begins the next request: null at the end. */
    abstract @Nullable Asked next();

    List<IOException> failures() {
        return failures;
    }

    ModelDisk model() {
        return model;
    }

    /** A request that changes the disk. */
    final Asked change(ModelDisk.Request begun, Request request) {
        return new Asked(request, failure -> {
            if (failure == null) {
                begun.done();
            } else {
                begun.failed();
                keep(failure);
            }
        });
    }

    final Asked read(Request.Read request) {
        ModelDisk.Read begun = model.beginRead(request.offset());
        return new Asked(request, failure -> {
            if (failure == null) {
                begun.saw(request.destination());
            } else {
                begun.failed();
                keep(failure);
            }
        });
    }

    final Asked flush() {
        ModelDisk.Flush begun = model.beginFlush();
        return new Asked(new Request.Flush(0), failure -> {
            if (failure == null) {
                begun.done();
            } else {
                keep(failure);
            }
        });
    }

    private void keep(Throwable failure) throws IOException {
        if (!(failure instanceof IOException expected)) {
            throw new AssertionError("a request ended with " + failure, failure);
        }
        if (!mayFail) {
            throw expected;
        }
        failures.add(expected);
    }
}
