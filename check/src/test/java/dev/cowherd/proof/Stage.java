package dev.cowherd.proof;

import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.Engine;
import dev.cowherd.storage.Storage;
import dev.cowherd.testkit.lab.Schedules;
import dev.cowherd.testkit.lab.StepScheduler;
import dev.cowherd.testkit.lab.SteppedStorage;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * Where a case on simulated disks is played. By the sync engine that is the test's own thread. By the ring engine it is a worker of a
 * scheduler that plays the ring: at every operation of the host a request leaves its fiber, or ends a transfer of its own, of which some
 * come short.
 */
final class Stage {
    private final Engine engine;
    private final @Nullable StepScheduler steps;

    private Stage(Engine engine, @Nullable StepScheduler steps) {
        this.engine = engine;
        this.steps = steps;
    }

    /** What happens on a stage. */
    interface Case {
        void play(Stage stage) throws Exception;
    }

    /** Plays a case once. */
    static void play(Engine engine, Case played) throws Exception {
        if (engine == Engine.SYNC) {
            played.play(new Stage(engine, null));
            return;
        }
        Schedules.drawn(Lab.seed(), 1).explore(steps -> {
            steps.worker("guest", () -> {
                played.play(new Stage(engine, steps));
                return null;
            });
            steps.run();
        });
    }

    /** How waits of one request for another are made here. */
    DiskOptions with(DiskOptions options) {
        StepScheduler scheduler = steps;
        return scheduler == null ? options : options.withWaits(signal -> scheduler.await(signal::isFired, "a signal"));
    }

    /** A simulated disk as the stage's engine sees it. */
    Storage filter(Storage storage) {
        return steps == null ? storage : new SteppedStorage(storage, steps);
    }

    Disk open(Rig rig, DiskOptions options) throws IOException {
        return rig.open(with(options), this::filter);
    }

    Disk open(Storage image, DiskOptions options) throws IOException {
        return Disk.open(filter(image), Guests.byRing(with(options)));
    }

    Guest guest(Disk disk) throws IOException {
        return Guest.of(engine, disk);
    }
}
