package dev.cowherd.proof;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.image.Disk;
import dev.cowherd.image.Engine;
import dev.cowherd.image.Request;
import dev.cowherd.image.RequestQueue;
import dev.cowherd.storage.fiber.FiberLoop;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;

/** What several guests do through one thread's request queue, each with one request in flight; completions come in any order. */
final class RequestLoad implements Callable<Void> {
    private final Disk disk;
    private final List<Script> scripts;
    private final List<Script.@Nullable Asked> inFlight = new ArrayList<>();
    private int lead;
    private Change meanwhile = () -> {};
    private @Nullable Opening opening;

    /** The queue is opened by the thread that plays. */
    RequestLoad(Disk disk, List<Script> scripts) {
        this.disk = disk;
        this.scripts = scripts;
    }

    /** Each guest may be so many steps ahead when the next one begins; else they begin at once. */
    RequestLoad withLead(int polls) {
        lead = polls;
        return this;
    }

    /** Something that the same thread does when each guest has its first request in flight. */
    interface Change {
        void make() throws IOException;
    }

    RequestLoad meanwhile(Change change) {
        meanwhile = change;
        return this;
    }

    /** How the thread gets a loop that is not of the usual make. */
    interface Opening {
        FiberLoop open() throws IOException;
    }

    RequestLoad over(Opening loop) {
        opening = loop;
        return this;
    }

    List<IOException> failures() {
        return scripts.stream().flatMap(script -> script.failures().stream()).toList();
    }

    @Override
    public Void call() throws IOException {
        Opening own = opening;
        if (own == null) {
            try (RequestQueue queue = disk.openRequestQueue(scripts.size())) {
                serve(queue);
            }
        } else {
            try (FiberLoop loop = own.open();
                    RequestQueue queue = disk.openRequestQueue(scripts.size(), loop)) {
                serve(queue);
            }
        }
        return null;
    }

    private void serve(RequestQueue queue) throws IOException {
        assertThat(queue.engine()).isEqualTo(Engine.RING);
        for (int i = 0; i < scripts.size(); i++) {
            inFlight.add(null);
            submitNext(queue, i);
            for (int polls = 0; polls < lead && i + 1 < scripts.size(); polls++) {
                queue.poll((token, failure) -> completed(queue, (int) token, failure));
            }
        }
        meanwhile.make();
        while (queue.inFlight() > 0) {
            queue.await(1, (token, failure) -> completed(queue, (int) token, failure));
        }
    }

    private void submitNext(RequestQueue queue, int guest) {
        Script.Asked asked = scripts.get(guest).next();
        inFlight.set(guest, asked);
        if (asked != null) {
            queue.submit(withToken(asked.request, guest));
        }
    }

    private void completed(RequestQueue queue, int guest, @Nullable Throwable failure) {
        Script.Asked asked = inFlight.get(guest);
        if (asked == null) {
            throw new AssertionError("guest " + guest + " has no request in flight, and one completed");
        }
        try {
            asked.ended(failure);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        submitNext(queue, guest);
    }

    /** The same request under another token. */
    static Request withToken(Request request, long token) {
        return switch (request) {
            case Request.Read read -> new Request.Read(token, read.offset(), read.destination());
            case Request.Write write -> new Request.Write(token, write.offset(), write.source());
            case Request.WriteZeroes zeroes ->
                new Request.WriteZeroes(token, zeroes.offset(), zeroes.length(), zeroes.mode());
            case Request.Discard discard -> new Request.Discard(token, discard.offset(), discard.length());
            case Request.Flush _ -> new Request.Flush(token);
            case Request.Work work -> new Request.Work(token, work.task());
        };
    }
}
