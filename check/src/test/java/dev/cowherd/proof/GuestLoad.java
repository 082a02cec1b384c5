package dev.cowherd.proof;

import dev.cowherd.image.DiskQueue;
import dev.cowherd.image.Request;
import dev.cowherd.testkit.lab.ModelDisk;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.Callable;

/** What a guest does, one request after the other. */
final class GuestLoad implements Callable<Void> {
    private final Performer performer;
    private final Script script;

    GuestLoad(DiskQueue queue, Script script) {
        this(request -> Guest.perform(queue, request), script);
    }

    /** The same by a guest of either engine. */
    GuestLoad(Guest guest, Script script) {
        this(guest::perform, script);
    }

    private GuestLoad(Performer performer, Script script) {
        this.performer = performer;
        this.script = script;
    }

    private interface Performer {
        void perform(Request request) throws IOException;
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
                performer.perform(asked.request);
            } catch (IOException e) {
                asked.ended(e);
                continue;
            }
            asked.ended(null);
        }
        return null;
    }
}
