package dev.cowherd.metadata;

import dev.cowherd.metadata.Allocator.Taken;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.atomic.AtomicLongArray;
import org.jetbrains.lincheck.datastructures.IntGen;
import org.jetbrains.lincheck.datastructures.Operation;
import org.jetbrains.lincheck.datastructures.Param;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Two guest clusters that move to a new host cluster with each write behave like two variables: no read finds the bytes of the next
 * owner, or a hole, where it looks. So epochs, gate and allocator together keep a freed cluster out of use for
 * as long as anyone may touch it.
 */
@Tag("lincheck")
@Param(name = "guest", gen = IntGen.class, conf = "0:1")
@Param(name = "value", gen = IntGen.class, conf = "1:9")
public class ReuseGateLincheckTest {
    private static final int HOLE = -1;
    private static final int FIRST = 4;
    private static final CountedFile IMAGE = image();

    private final Epochs epochs = new Epochs();
    private final Epochs.Slot reader = epochs.register();
    private final Allocator allocator = IMAGE.allocator(Waits.PARK);
    private final AtomicIntegerArray host = new AtomicIntegerArray(64);
    private final LayerHandles handles =
            new LayerHandles(IMAGE.fixed(offset -> host.set((int) (offset / 512), HOLE)), null);
    private final ReuseGate gate = new ReuseGate(epochs, allocator, 9, true);
    private final AtomicLongArray map = new AtomicLongArray(new long[] {FIRST, FIRST + 1});

    public ReuseGateLincheckTest() {
        host.set(FIRST, content(0, 0));
        host.set(FIRST + 1, content(1, 0));
    }

    private static CountedFile image() {
        try {
            return new CountedFile(1, FIRST + 2).count(3, FIRST + 2, 1);
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private static int content(int guest, int value) {
        return 10 * guest + value;
    }

    @Operation(nonParallelGroup = "reader")
    public int read(@Param(name = "guest") int guest) {
        reader.begin();
        int found = host.get((int) map.get(guest));
        reader.end();
        return found;
    }

    /** The other cluster moves too, into what the first one left if that may be. */
    @Operation(nonParallelGroup = "writer")
    public void write(@Param(name = "guest") int guest, @Param(name = "value") int value) throws IOException {
        move(guest, content(guest, value));
        int other = 1 - guest;
        move(other, host.get((int) map.get(other)));
    }

    private void move(int guest, int content) throws IOException {
        Taken taken = allocator.take(1, null, handles.file(), CountedFile.NO_GROWTH);
        host.set((int) taken.cluster(), content);
        long old = map.getAndSet(guest, taken.cluster());
        gate.add(List.of(new Dropped(old, 1, epochs.stamp())));
        gate.open(handles);
    }

    /** What is asked for: two variables. */
    public static class InSequence {
        private final int[] contents = {content(0, 0), content(1, 0)};

        public int read(int guest) {
            return contents[guest];
        }

        public void write(int guest, int value) {
            contents[guest] = content(guest, value);
        }
    }

    @Test
    void inEveryOrder() {
        Lincheck.modelCheck(ReuseGateLincheckTest.class, InSequence.class, 8, 40);
    }

    @Test
    void onRealThreads() {
        Lincheck.stress(ReuseGateLincheckTest.class, InSequence.class);
    }
}
