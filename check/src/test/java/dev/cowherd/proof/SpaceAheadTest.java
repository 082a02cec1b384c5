package dev.cowherd.proof;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.image.CreateOptions;
import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.Engine;
import dev.cowherd.image.ImageCreator;
import dev.cowherd.image.Request.Work;
import dev.cowherd.storage.Errno;
import dev.cowherd.storage.MemoryStorage;
import dev.cowherd.storage.Storage;
import dev.cowherd.storage.filter.Fault;
import dev.cowherd.storage.filter.FaultStorage;
import dev.cowherd.storage.filter.Operation;
import dev.cowherd.storage.filter.RecordStorage;
import dev.cowherd.storage.filter.Request;
import dev.cowherd.testkit.lab.SimStorage;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** An image that grows has the host's space ahead of it while it does, and no more than it needs afterwards. */
@EachEngine
@Timeout(value = 120, unit = TimeUnit.SECONDS)
class SpaceAheadTest {
    private static final int CLUSTER = 65536;
    private static final long MIB = 1 << 20;
    private static final int CLUSTERS_OF_A_MIB = (int) (MIB / CLUSTER);

    @TempDir
    Path folder;

    private final Engine engine;
    private final SimStorage sim = new SimStorage("image");
    private final RecordStorage record = new RecordStorage(sim);
    private final MemorySegment cluster = Arena.ofAuto().allocate(CLUSTER, 4096).fill((byte) 7);

    SpaceAheadTest(Engine engine) {
        this.engine = engine;
    }

    @BeforeEach
    void create() throws IOException {
        fill(sim, CreateOptions.ofSize(1L << 30).build());
        record.forget();
    }

    private void fill(Storage image, CreateOptions options) throws IOException {
        Path file = folder.resolve("image.qcow2");
        ImageCreator.create(file, options);
        byte[] bytes = Files.readAllBytes(file);
        image.write(0, Arena.ofAuto().allocate(bytes.length).copyFrom(MemorySegment.ofArray(bytes)));
    }

    private static Disk open(Storage image) throws IOException {
        return Disk.open(image.reopen(), DiskOptions.defaults().withWritable(true));
    }

    private void write(Disk disk, int first, int count) throws IOException {
        try (Guest guest = Guest.of(engine, disk)) {
            guest.perform(writing(first, count));
        }
    }

    private Work writing(int first, int count) {
        return new Work(0, queue -> {
            for (int i = first; i < first + count; i++) {
                queue.write((long) i * CLUSTER, cluster);
            }
        });
    }

    private List<Request> reserves() {
        return record.requests(Operation.RESERVE);
    }

    @Test
    void anImageThatHardlyGrowsTakesNoMoreThanItNeeds() throws IOException {
        try (Disk disk = open(record)) {
            write(disk, 0, CLUSTERS_OF_A_MIB - 4);
        }
        assertThat(reserves()).isEmpty();
        assertThat(record.requests(Operation.RELEASE)).isEmpty();
    }

    @Test
    void anImageThatGrowsHasSpaceAheadInLargerAndLargerSteps() throws IOException {
        long before = sim.sizeBytes();
        try (Disk disk = open(record)) {
            write(disk, 0, 80 * CLUSTERS_OF_A_MIB);
            assertThat(reserves()).extracting(Request::length).startsWith(MIB, 2 * MIB, 4 * MIB, 8 * MIB, 16 * MIB);
            assertThat(reserves()).extracting(Request::length).allMatch(length -> length <= 16 * MIB);
            assertThat(reserves()).hasSizeLessThan(12);
            for (Request reserve : reserves()) {
                long grown = reserve.offset() - before;
                assertThat(reserve.length()).isLessThanOrEqualTo(grown);
            }
            assertThat(sim.reservedBytes()).isPositive();
        }
        assertThat(sim.reservedBytes()).isZero();
        List<Request> all = record.requests();
        List<Request> released = record.requests(Operation.RELEASE);
        assertThat(released).hasSize(1);
        assertThat(all.subList(all.indexOf(released.getFirst()), all.size()))
                .extracting(Request::operation)
                .doesNotContain(Operation.WRITE, Operation.SYNC, Operation.RESERVE);
    }

    /** All but the first of what a step's clusters need lies in what was set aside before they were written. */
    @Test
    void clustersAreWrittenToWhatWasSetAside() throws IOException {
        try (Disk disk = open(record)) {
            write(disk, 0, 40 * CLUSTERS_OF_A_MIB);
        }
        long reservedTo = 0;
        long inside = 0;
        long outside = 0;
        for (Request request : record.requests()) {
            if (request.operation() == Operation.RESERVE) {
                reservedTo = request.offset() + request.length();
            } else if (request.operation() == Operation.WRITE && request.length() == CLUSTER) {
                inside += request.offset() + CLUSTER <= reservedTo ? 1 : 0;
                outside += request.offset() + CLUSTER <= reservedTo ? 0 : 1;
            }
        }
        assertThat(outside).isLessThan(CLUSTERS_OF_A_MIB + 10);
        assertThat(inside).isGreaterThan(38 * CLUSTERS_OF_A_MIB);
    }

    @Test
    void clustersThatAreUsedAgainNeedNone() throws IOException {
        try (Disk disk = open(record)) {
            write(disk, 0, 16 * CLUSTERS_OF_A_MIB);
            try (Guest guest = Guest.of(engine, disk)) {
                guest.discard(0, 16 * MIB);
                guest.flush();
                guest.flush();
            }
            record.forget();
            write(disk, 100 * CLUSTERS_OF_A_MIB, 14 * CLUSTERS_OF_A_MIB);
            assertThat(reserves()).isEmpty();
        }
    }

    @Test
    void dataFilesAreLeftAlone() throws IOException {
        Path image = folder.resolve("image.qcow2");
        Path data = folder.resolve("image.data");
        ImageCreator.create(
                image,
                CreateOptions.ofSize(1L << 30).dataFile(data.toString(), false).build());
        List<RecordStorage> files = new ArrayList<>();
        DiskOptions options = DiskOptions.defaults().withWritable(true).withStorageFilter(file -> {
            files.add(new RecordStorage(file));
            return files.getLast();
        });
        try (Disk disk = Disk.open(image, options)) {
            write(disk, 0, 16 * CLUSTERS_OF_A_MIB);
        }
        assertThat(files).hasSize(2).allSatisfy(file -> {
            assertThat(file.requests(Operation.WRITE)).isNotEmpty();
            assertThat(file.requests(Operation.RESERVE)).isEmpty();
            assertThat(file.requests(Operation.RELEASE)).isEmpty();
        });
    }

    @Test
    void aHostThatSetsNothingAsideIsAskedOnce() throws IOException {
        MemoryStorage memory = new MemoryStorage("image");
        fill(memory, CreateOptions.ofSize(1L << 30).build());
        RecordStorage seen = new RecordStorage(memory);
        try (Disk disk = open(seen)) {
            write(disk, 0, 16 * CLUSTERS_OF_A_MIB);
        }
        assertThat(seen.requests(Operation.RESERVE)).hasSize(1);
        assertThat(seen.requests(Operation.RELEASE)).isEmpty();
    }

    @Test
    void anErrorOnTheWayIsNoGuestsConcern() throws IOException {
        FaultStorage failing = new FaultStorage(record, Fault.of(Errno.EIO, Operation.RESERVE));
        try (Disk disk = open(failing)) {
            write(disk, 0, 16 * CLUSTERS_OF_A_MIB);
        }
        assertThat(reserves()).isEmpty();
        FaultStorage keeping = new FaultStorage(record, Fault.of(Errno.EIO, Operation.RELEASE));
        try (Disk disk = open(keeping)) {
            write(disk, 16 * CLUSTERS_OF_A_MIB, 16 * CLUSTERS_OF_A_MIB);
        }
        assertThat(reserves()).isNotEmpty();
    }

    @Test
    void oneRequestAsksForAllAndTheOthersGoOn() throws IOException {
        HeldStorage.Holds holds = new HeldStorage.Holds();
        try (Disk disk = open(new HeldStorage(record, holds));
                Guest guest = Guest.of(engine, disk)) {
            HeldStorage.Hold hold = holds.next(request -> request.operation() == Operation.RESERVE);
            Guest.Pending asking = guest.begin(writing(0, 2 * CLUSTERS_OF_A_MIB));
            guest.getOnUntil(hold::isReached);
            try {
                guest.perform(writing(100 * CLUSTERS_OF_A_MIB, 4 * CLUSTERS_OF_A_MIB));
                // The one that is held has not reached the host.
                assertThat(reserves()).isEmpty();
            } finally {
                holds.end();
            }
            asking.await();
            assertThat(reserves()).isNotEmpty();
        }
    }
}
