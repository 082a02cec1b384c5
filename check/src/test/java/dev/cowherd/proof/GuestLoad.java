package dev.cowherd.proof;

import dev.cowherd.image.DiskQueue;
import dev.cowherd.image.Request;
import dev.cowherd.testkit.lab.ModelDisk;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.Callable;

/** What a guest does through one queue: one request after the other. */
final class GuestLoad implements Callable<Void> {
    private final DiskQueue queue;
    private final Script script;

    GuestLoad(DiskQueue queue, Script script) {
        this.queue = queue;
        this.script = script;
    }

    /** Drawn requests; if they may fail, failures are kept and the load goes on. */
    GuestLoad(DiskQueue queue, ModelDisk model, Shape shape, long seed, int operations, boolean mayFail) {
        this(queue, new DrawnScript(model, shape, seed, operations, mayFail));
    }

    List<IOException> failures() {
        return script.failures();
    }

    @Override
    public Void call() throws IOException {
        for (Script.Asked asked = script.next(); asked != null; asked = script.next()) {
            try {
                perform(asked.request);
            } catch (IOException e) {
                asked.ended(e);
                continue;
            }
            asked.ended(null);
        }
        return null;
    }

    private void perform(Request request) throws IOException {
        switch (request) {
            case Request.Read read -> queue.read(read.offset(), read.destination());
            case Request.Write write -> queue.write(write.offset(), write.source());
            case Request.WriteZeroes zeroes -> queue.writeZeroes(zeroes.offset(), zeroes.length(), zeroes.mode());
            case Request.Discard discard -> queue.discard(discard.offset(), discard.length());
            case Request.Flush _ -> queue.flush();
            case Request.Work work -> work.task().run(queue);
        }
    }
}
