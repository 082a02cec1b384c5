package dev.cowherd.image;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.format.CorruptImageException;
import dev.cowherd.storage.Errno;
import dev.cowherd.storage.Storage;
import dev.cowherd.storage.StorageException;
import dev.cowherd.storage.fiber.FiberLoop;
import dev.cowherd.storage.filter.Fault;
import dev.cowherd.storage.filter.FaultStorage;
import dev.cowherd.storage.filter.InterceptingStorage;
import dev.cowherd.storage.filter.Operation;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** A read of many places: all of them, whatever their number; one error for all; and none under way once it has ended. */
class ScatteredReadsTest {
    private static final int CLUSTER_BYTES = 4096;
    /** More than the branches of a queue. */
    private static final int CLUSTERS = 3 * Branches.MOST;

    private static final int BYTES = CLUSTERS * CLUSTER_BYTES;

    @TempDir
    Path folder;

    private Path path = Path.of("");
    private byte[] content = new byte[0];

    /** Every second cluster is written first, so that no two that follow each other are neighbours on the host. */
    @BeforeEach
    void scatter() throws IOException {
        path = folder.resolve("parts.qcow2");
        ImageCreator.create(path, CreateOptions.ofSize(BYTES).clusterBits(12).build());
        content = new byte[BYTES];
        try (Disk disk = Disk.open(path, DiskOptions.defaults().withWritable(true));
                DiskQueue queue = disk.openQueue()) {
            for (int first = 0; first < 2; first++) {
                for (int cluster = first; cluster < CLUSTERS; cluster += 2) {
                    int from = cluster * CLUSTER_BYTES;
                    Arrays.fill(content, from, from + CLUSTER_BYTES, (byte) (cluster + 1));
                    queue.write(from, MemorySegment.ofArray(content).asSlice(from, CLUSTER_BYTES));
                }
            }
        }
    }

    private static DiskOptions by(Engine engine) {
        return DiskOptions.defaults().withEngine(engine);
    }

    private static MemorySegment room() {
        return Arena.ofAuto().allocate(BYTES, 8);
    }

    /** What ended, with its failure or null. */
    private static List<@Nullable Throwable> readAll(RequestQueue queue, MemorySegment... rooms) throws IOException {
        for (int i = 0; i < rooms.length; i++) {
            queue.submit(new Request.Read(i, 0, rooms[i]));
        }
        List<@Nullable Throwable> ended = new ArrayList<>();
        while (ended.size() < rooms.length) {
            queue.await(1, (token, failure) -> ended.add(failure));
        }
        return ended;
    }

    private static byte[] bytes(MemorySegment from) {
        return from.toArray(ValueLayout.JAVA_BYTE);
    }

    @ParameterizedTest
    @EnumSource(names = {"SYNC", "RING"})
    void moreRequestsThanBranchesAreReadWhole(Engine engine) throws IOException {
        try (Disk disk = Disk.open(path, by(engine));
                RequestQueue queue = disk.openRequestQueue(4)) {
            for (int round = 0; round < 3; round++) {
                MemorySegment[] rooms = {room(), room(), room(), MemorySegment.ofArray(new byte[BYTES])};
                assertThat(readAll(queue, rooms)).containsOnlyNulls().hasSize(4);
                for (MemorySegment room : rooms) {
                    assertThat(bytes(room)).isEqualTo(content);
                }
            }
        }
    }

    /** Where a guest cluster lies on the host. */
    private long hostOffset(int cluster) throws IOException {
        try (Disk disk = Disk.open(path, DiskOptions.defaults());
                DiskQueue queue = disk.openQueue()) {
            return queue.status((long) cluster * CLUSTER_BYTES, CLUSTER_BYTES).hostOffset();
        }
    }

    private static Fault badSector(long hostOffset) {
        return Fault.of(Errno.EIO, Operation.READ).inRange(hostOffset, 512);
    }

    /** The second place is a branch too, the first that gets none, or the last, which never has one. */
    @ParameterizedTest
    @CsvSource({"SYNC, 20", "RING, 6", "RING, 16", "RING, 17", "RING, 95"})
    void theFirstPlaceThatFailsIsTheOneThatIsNamed(Engine engine, int other) throws IOException {
        long first = hostOffset(5);
        long second = hostOffset(other);
        DiskOptions options =
                by(engine).withStorageFilter(storage -> new FaultStorage(storage, badSector(first), badSector(second)));
        try (Disk disk = Disk.open(path, options);
                RequestQueue queue = disk.openRequestQueue(2)) {
            for (int round = 0; round < 2; round++) {
                assertThat(readAll(queue, room())).singleElement().isInstanceOfSatisfying(StorageException.class, e -> {
                    assertThat(e.errno()).isEqualTo(Errno.EIO.number());
                    assertThat(e.offset()).isEqualTo(first);
                });
                MemorySegment before = Arena.ofAuto().allocate(5 * CLUSTER_BYTES, 8);
                assertThat(readAll(queue, before)).containsOnlyNulls();
                assertThat(bytes(before)).isEqualTo(Arrays.copyOf(content, 5 * CLUSTER_BYTES));
            }
        }
    }

    /** The search for cluster 10 meets the bad entry of 11, when 9 was found and not read yet. */
    @ParameterizedTest
    @EnumSource(names = {"SYNC", "RING"})
    void aBadPlaceIsNamedBeforeABadEntryBehindIt(Engine engine) throws IOException {
        long bad = hostOffset(9);
        long l2 = onlyTable();
        try (FileChannel file = FileChannel.open(path, StandardOpenOption.WRITE)) {
            file.write(ByteBuffer.allocate(8).putLong(0, 0x8000_0000_0000_0000L | 513L << 9), l2 + 11 * 8);
        }
        try (Disk disk = Disk.open(path, by(engine));
                RequestQueue queue = disk.openRequestQueue(2)) {
            assertThat(readAll(queue, room())).singleElement().isInstanceOf(CorruptImageException.class);
        }
        DiskOptions options = by(engine).withStorageFilter(storage -> new FaultStorage(storage, badSector(bad)));
        try (Disk disk = Disk.open(path, options);
                RequestQueue queue = disk.openRequestQueue(2)) {
            assertThat(readAll(queue, room()))
                    .singleElement()
                    .isInstanceOfSatisfying(
                            StorageException.class, e -> assertThat(e.offset()).isEqualTo(bad));
        }
    }

    /** The offset of the image's one L2 table, from its L1 table (specification: header, bytes 40 to 47). */
    private long onlyTable() throws IOException {
        ByteBuffer word = ByteBuffer.allocate(8);
        try (FileChannel file = FileChannel.open(path)) {
            file.read(word, 40);
            long l1 = word.getLong(0);
            file.read(word.clear(), l1);
            return word.getLong(0) & 0x00ff_ffff_ffff_fe00L;
        }
    }

    /** Holds the read of one place. */
    private static final class Holding extends InterceptingStorage {
        private final long place;
        private final AtomicReference<@Nullable Runnable> held;

        Holding(Storage next, long place, AtomicReference<@Nullable Runnable> held) {
            super(next);
            this.place = place;
            this.held = held;
        }

        @Override
        protected void begin(dev.cowherd.storage.filter.Request request) {
            if (request.operation() == Operation.READ && request.offset() == place) {
                FiberLoop.leaveUntil(wake -> {
                    held.set(wake);
                    return true;
                });
            }
        }

        @Override
        protected Holding around(Storage reopened) {
            return new Holding(reopened, place, held);
        }
    }

    /** Counts the reads that are inside at once, whose fibers all leave for the ring. */
    private static final class Counting extends InterceptingStorage {
        private final int[] nowAndMost;

        Counting(Storage next, int[] nowAndMost) {
            super(next);
            this.nowAndMost = nowAndMost;
        }

        @Override
        protected void begin(dev.cowherd.storage.filter.Request request) {
            nowAndMost[0]++;
            nowAndMost[1] = Math.max(nowAndMost[1], nowAndMost[0]);
        }

        @Override
        protected void end(dev.cowherd.storage.filter.Request request) {
            nowAndMost[0]--;
        }

        @Override
        protected Counting around(Storage reopened) {
            return new Counting(reopened, nowAndMost);
        }
    }

    @Test
    void aRequestAndAQueueHaveBoundedBranches() throws IOException {
        for (int requests : new int[] {1, 6}) {
            int[] nowAndMost = new int[2];
            DiskOptions options = by(Engine.RING).withStorageFilter(storage -> new Counting(storage, nowAndMost));
            try (Disk disk = Disk.open(path, options);
                    RequestQueue queue = disk.openRequestQueue(8)) {
                MemorySegment[] rooms = new MemorySegment[requests];
                Arrays.setAll(rooms, i -> room());
                readAll(queue, rooms);
                nowAndMost[1] = 0;
                assertThat(readAll(queue, rooms)).containsOnlyNulls();
            }
            // Each reads one place itself.
            int branches = requests == 1 ? Branches.MOST_OF_A_REQUEST : Branches.MOST;
            assertThat(nowAndMost[1]).isEqualTo(branches + requests);
        }
    }

    @Test
    void theFirstPlaceIsNamedAlsoIfItFailsLast() throws IOException {
        long first = hostOffset(5);
        Fault[] faults = {badSector(first), badSector(hostOffset(6)), badSector(hostOffset(CLUSTERS - 1))};
        AtomicReference<@Nullable Runnable> held = new AtomicReference<>();
        DiskOptions options = by(Engine.RING)
                .withStorageFilter(storage -> new Holding(new FaultStorage(storage, faults), first, held));
        try (Disk disk = Disk.open(path, options);
                RequestQueue queue = disk.openRequestQueue(2)) {
            queue.submit(new Request.Read(1, 0, room()));
            RequestQueue.Handler handler = (token, failure) -> assertThat(failure)
                    .isInstanceOfSatisfying(
                            StorageException.class, e -> assertThat(e.offset()).isEqualTo(first));
            while (held.get() == null) {
                queue.poll(handler);
            }
            for (int i = 0; i < 20; i++) {
                queue.submit(new Request.Read(2, 0, Arena.ofAuto().allocate(512, 8)));
                queue.await(1, (token, failure) -> assertThat(token).isEqualTo(2));
            }
            Objects.requireNonNull(held.get()).run();
            assertThat(queue.await(1, handler)).isOne();
        }
    }

    @Test
    void aReadThatFailsEndsWhenItsOtherPlacesHave() throws IOException {
        long bad = hostOffset(8);
        long slow = hostOffset(4);
        AtomicReference<@Nullable Runnable> held = new AtomicReference<>();
        DiskOptions options = by(Engine.RING)
                .withStorageFilter(storage -> new Holding(new FaultStorage(storage, badSector(bad)), slow, held));
        try (Disk disk = Disk.open(path, options);
                RequestQueue queue = disk.openRequestQueue(2)) {
            MemorySegment room = room();
            queue.submit(new Request.Read(1, 0, room));
            List<Long> ended = new ArrayList<>();
            RequestQueue.Handler handler = (token, failure) -> {
                ended.add(token);
                assertThat(failure).isInstanceOf(StorageException.class);
            };
            while (held.get() == null) {
                queue.poll(handler);
            }
            // Others of the queue end meanwhile, as often as one likes.
            for (int i = 0; i < 20; i++) {
                queue.submit(new Request.Read(2, 0, Arena.ofAuto().allocate(512, 8)));
                queue.await(1, (token, failure) -> assertThat(token).isEqualTo(2));
            }
            room.asSlice(4L * CLUSTER_BYTES, CLUSTER_BYTES).fill((byte) 0x55);
            Objects.requireNonNull(held.get()).run();
            queue.await(1, handler);
            assertThat(ended).containsExactly(1L);
            assertThat(bytes(room.asSlice(4L * CLUSTER_BYTES, CLUSTER_BYTES))).containsOnly(5);
        }
    }
}
