package dev.cowherd.proof;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.DiskQueue;
import dev.cowherd.image.Engine;
import dev.cowherd.image.Request;
import dev.cowherd.image.RequestQueue;
import dev.cowherd.testkit.lab.StepScheduler;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** How the engines serve the same guests: each by a queue and thread of its own, or several by the request queue of one thread. */
final class Guests {
    /** Both engines, for a suite that plays all of it on each. */
    static final List<Engine> ENGINES = List.of(Engine.SYNC, Engine.RING);

    private Guests() {}

    /**
     * For a disk whose request queues have to be the ring's also where only one guest is on them. Guests of the sync engine have disk
     * queues, which this does not touch.
     */
    static DiskOptions byRing(DiskOptions options) {
        return options.withEngine(Engine.RING);
    }

    /** The engine of a run: they take turns, so that runs are shared between them. */
    static Engine engineOf(int run) {
        return ENGINES.get(run % ENGINES.size());
    }

    /** So many drawn requests for each of some queues; with the ring engine, of twice as many fibers. */
    static List<Script> scripts(Engine engine, Rig rig, long seed, int queues, int operations) {
        int guests = engine == Engine.RING ? 2 * queues : queues;
        List<Script> scripts = new ArrayList<>();
        for (int i = 0; i < guests; i++) {
            int share = queues * operations * (i + 1) / guests - queues * operations * i / guests;
            scripts.add(new DrawnScript(rig.model, rig.template.shape, seed + i, share, false));
        }
        return scripts;
    }

    /** A worker for each script; with the ring engine, one for so many of them. */
    static void work(Engine engine, StepScheduler steps, Disk disk, List<Script> scripts, int fibers)
            throws IOException {
        if (engine == Engine.SYNC) {
            for (int i = 0; i < scripts.size(); i++) {
                steps.worker("queue " + i, new GuestLoad(disk.openQueue(), scripts.get(i)));
            }
            return;
        }
        for (int first = 0; first < scripts.size(); first += fibers) {
            List<Script> mine = scripts.subList(first, Math.min(scripts.size(), first + fibers));
            steps.worker("request queue of guests from " + first, new RequestLoad(disk, mine).withLead(8));
        }
    }

    /** The same with a piece of code for each of them. */
    static void workOn(Engine engine, StepScheduler steps, Disk disk, List<Request.Task> tasks, int fibers)
            throws IOException {
        if (engine == Engine.SYNC) {
            for (int i = 0; i < tasks.size(); i++) {
                Request.Task task = tasks.get(i);
                DiskQueue queue = disk.openQueue();
                steps.worker("queue " + i, () -> {
                    task.run(queue);
                    return null;
                });
            }
            return;
        }
        for (int first = 0; first < tasks.size(); first += fibers) {
            List<Request.Task> mine = tasks.subList(first, Math.min(tasks.size(), first + fibers));
            steps.worker("request queue of guests from " + first, () -> {
                try (RequestQueue queue = disk.openRequestQueue(mine.size())) {
                    assertThat(queue.engine()).isEqualTo(Engine.RING);
                    // Left at once: else each would go as far as it can before the next one begins.
                    mine.forEach(task -> queue.submit(new Request.Work(0, lane -> {
                        steps.step("its start");
                        task.run(lane);
                    })));
                    queue.await(mine.size(), (token, failure) -> {
                        if (failure != null) {
                            throw new AssertionError("a guest failed: " + failure, failure);
                        }
                    });
                }
                return null;
            });
        }
    }
}
