package dev.cowherd.proof;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.DiskQueue;
import dev.cowherd.storage.filter.Operation;
import dev.cowherd.storage.filter.Request;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A freed cluster has no new owner while a delayed read, write or hole of an old request is still on its way. */
class ReuseTest {
    private static final Shape SHAPE = Shape.plain(12);
    private static final int CLUSTER = 4096;
    private static final long FREED = 3L * CLUSTER;

    private final ExecutorService other = Executors.newSingleThreadExecutor();
    private final HeldStorage.Holds holds = new HeldStorage.Holds();
    private Disk disk;
    private DiskQueue slow;
    private DiskQueue busy;

    @BeforeEach
    void aClusterThatIsThere() throws IOException {
        disk = Rig.of(SHAPE)
                .open(DiskOptions.defaults().withWritable(true), storage -> new HeldStorage(storage, holds));
        slow = disk.openQueue();
        busy = disk.openQueue();
        busy.write(FREED, filled(1));
        busy.flush();
    }

    @AfterEach
    void end() throws Exception {
        other.shutdown();
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

    private static Predicate<Request> ofACluster(Operation operation) {
        return request -> request.operation() == operation && request.length() == CLUSTER;
    }

    private Future<Void> meanwhile(Callable<Void> work) {
        return other.submit(work);
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
    void aReadOnItsWayNeverSeesTheNextOwnersBytes() throws Exception {
        HeldStorage.Hold hold = holds.next(ofACluster(Operation.READ));
        MemorySegment seen = filled(99);
        Future<Void> read = meanwhile(() -> {
            slow.read(FREED, seen);
            return null;
        });
        hold.awaitReached();
        freeAndAllocate();
        hold.release();
        read.get(20, TimeUnit.SECONDS);
        assertThat(first(seen)).as("what was there, or zeros").isIn((byte) 0, (byte) 1);
    }

    @Test
    void aWriteOnItsWayNeverLandsOnTheNextOwnersBytes() throws Exception {
        HeldStorage.Hold hold = holds.next(ofACluster(Operation.WRITE));
        Future<Void> write = meanwhile(() -> {
            slow.write(FREED, filled(77));
            return null;
        });
        hold.awaitReached();
        freeAndAllocate();
        hold.release();
        write.get(20, TimeUnit.SECONDS);
        assertNewOnesWhole();
    }

    @Test
    void aHoleOnItsWayNeverErasesTheNextOwnersBytes() throws Exception {
        HeldStorage.Hold hold = holds.next(request -> request.operation() == Operation.PUNCH_HOLE);
        Future<Void> punch = meanwhile(() -> {
            slow.discard(FREED, CLUSTER);
            slow.flush();
            return null;
        });
        hold.awaitReached();
        for (int i = 10; i < 20; i++) {
            busy.write((long) i * CLUSTER, filled(i));
        }
        hold.release();
        punch.get(20, TimeUnit.SECONDS);
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
