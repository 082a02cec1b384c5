package dev.cowherd.metadata;

import jdk.jfr.Category;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import jdk.jfr.Threshold;

/** For the flight recorder: one stage of a round of the flush order. Costs nothing while nobody records. */
@Name("dev.cowherd.FlushStage")
@Label("Flush stage")
@Category({"Cowherd"})
@StackTrace(false)
@Threshold("0 ms")
final class FlushStageEvent extends Event {
    /** The stages, in their order. */
    enum Stage {
        COPY("copy what is dirty"),
        REFCOUNTS("write refcounts"),
        SYNC_DATA("sync data and refcounts"),
        SLICES("write slices"),
        SYNC_SLICES("sync slices, for L1"),
        L1("write L1 entries"),
        SYNC_LAST("last sync"),
        REUSE("punch and give back");

        final String label;

        Stage(String label) {
            this.label = label;
        }
    }

    @Label("Stage")
    String stage = "";

    /** The stages of one round, one after another; the first begins here. */
    static final class Round {
        private FlushStageEvent event = begun();

        private static FlushStageEvent begun() {
            FlushStageEvent event = new FlushStageEvent();
            event.begin();
            return event;
        }

        /** A stage is over, and the next one begins. */
        void ended(Stage stage) {
            event.end();
            if (event.shouldCommit()) {
                event.stage = stage.label;
                event.commit();
            }
            event = begun();
        }
    }
}
