package dev.cowherd.proof;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.Engine;
import dev.cowherd.image.Request;
import dev.cowherd.storage.filter.Operation;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.function.Predicate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A freed cluster has no new owner while a delayed read, write or hole of an old request is still on its way. */
@EachEngine
class ReuseTest {
    private static final Shape SHAPE = Shape.plain(12);
    private static final int CLUSTER = 4096;
    private static final long FREED = 3L * CLUSTER;

    private final Engine engine;
    private final HeldStorage.Holds holds = new HeldStorage.Holds();
    private Disk disk;
    private Guest busy;

    ReuseTest(Engine engine) {
        this.engine = engine;
    }

    @BeforeEach
    void aClusterThatIsThere() throws IOException {
        disk = Rig.of(SHAPE)
                .open(DiskOptions.defaults().withWritable(true), storage -> new HeldStorage(storage, holds));
        busy = Guest.of(engine, disk);
        busy.write(FREED, filled(1));
        busy.flush();
    }

    @AfterEach
    void end() throws IOException {
        holds.end();
        busy.close();
        disk.close();
    }

    private static MemorySegment filled(int value) {
        return Arena.ofAuto().allocate(CLUSTER, 4096).fill((byte) value);
    }

    private static byte first(MemorySegment segment) {
        byte value = segment.get(ValueLayout.JAVA_BYTE, 0);
        assertThat(segment.mismatch(filled(value))).as("all of one value").isEqualTo(-1);
        return value;
    }

    private static Predicate<dev.cowherd.storage.filter.Request> ofACluster(Operation operation) {
        return request -> request.operation() == operation && request.length() == CLUSTER;
    }

    /** Begins a request, and waits until it is held. */
    private Guest.Pending begin(Request request, HeldStorage.Hold hold) throws IOException {
        Guest.Pending pending = busy.begin(request);
        busy.getOnUntil(hold::isReached);
        return pending;
    }

    /** Frees the cluster for good and writes new ones, one of which would get its place. */
    private void freeAndAllocate() throws IOException {
        busy.discard(FREED, CLUSTER);
        busy.flush();
        busy.flush();
        for (int i = 10; i < 20; i++) {
            busy.write((long) i * CLUSTER, filled(i));
        }
        busy.flush();
    }

    @Test
    void aReadOnItsWayNeverSeesTheNextOwnersBytes() throws IOException {
        HeldStorage.Hold hold = holds.next(ofACluster(Operation.READ));
        MemorySegment seen = filled(99);
        Guest.Pending read = begin(new Request.Read(0, FREED, seen), hold);
        freeAndAllocate();
        hold.release();
        read.await();
        assertThat(first(seen)).as("what was there, or zeros").isIn((byte) 0, (byte) 1);
    }

    @Test
    void aWriteOnItsWayNeverLandsOnTheNextOwnersBytes() throws IOException {
        HeldStorage.Hold hold = holds.next(ofACluster(Operation.WRITE));
        Guest.Pending write = begin(new Request.Write(0, FREED, filled(77)), hold);
        freeAndAllocate();
        hold.release();
        write.await();
        assertNewOnesWhole();
    }

    @Test
    void aHoleOnItsWayNeverErasesTheNextOwnersBytes() throws IOException {
        HeldStorage.Hold hold = holds.next(request -> request.operation() == Operation.PUNCH_HOLE);
        Request discard = new Request.Work(0, slow -> {
            slow.discard(FREED, CLUSTER);
            slow.flush();
        });
        Guest.Pending punch = begin(discard, hold);
        for (int i = 10; i < 20; i++) {
            busy.write((long) i * CLUSTER, filled(i));
        }
        hold.release();
        punch.await();
        assertNewOnesWhole();
    }

    private void assertNewOnesWhole() throws IOException {
        MemorySegment seen = filled(99);
        for (int i = 10; i < 20; i++) {
            busy.read((long) i * CLUSTER, seen);
            assertThat(first(seen)).as("cluster %d", i).isEqualTo((byte) i);
        }
    }

    @Test
    void onceNobodyCanTouchItTheClusterIsUsedAgain() throws IOException {
        busy.discard(FREED, CLUSTER);
        busy.flush();
        busy.flush();
        long before = disk.layers().getFirst().storage().sizeBytes();
        busy.write(10L * CLUSTER, filled(10));
        assertThat(disk.layers().getFirst().storage().sizeBytes()).isEqualTo(before);
    }
}
