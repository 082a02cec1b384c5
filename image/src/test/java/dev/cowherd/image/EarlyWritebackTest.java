package dev.cowherd.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowherd.metadata.WriteStoppedException;
import dev.cowherd.storage.Errno;
import dev.cowherd.storage.Storage;
import dev.cowherd.storage.StorageException;
import dev.cowherd.storage.filter.Fault;
import dev.cowherd.storage.filter.FaultStorage;
import dev.cowherd.storage.filter.Operation;
import dev.cowherd.storage.filter.RecordStorage;
import dev.cowherd.storage.filter.Request;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** New clusters of a guest that flushes are on their way to the device before it does. */
class EarlyWritebackTest {
    private static final int CLUSTER = 65536;
    private static final int CLUSTERS_OF_A_RUN = (int) (EarlyWriteback.RUN_BYTES / CLUSTER);

    @TempDir
    Path folder;

    private Path image = Path.of("");
    private @Nullable RecordStorage record;
    private final MemorySegment cluster = Arena.ofAuto().allocate(CLUSTER, 4096).fill((byte) 7);

    @BeforeEach
    void create() throws IOException {
        image = folder.resolve("image.qcow2");
        ImageCreator.create(image, CreateOptions.ofSize(1L << 30).build());
    }

    private Disk open(Engine engine, UnaryOperator<Storage> filter) throws IOException {
        return Disk.open(
                image,
                DiskOptions.defaults().withWritable(true).withEngine(engine).withStorageFilter(filter));
    }

    private Disk recorded(Engine engine) throws IOException {
        return open(engine, file -> {
            RecordStorage made = new RecordStorage(file);
            record = made;
            return made;
        });
    }

    private List<Request> begun() {
        return record == null ? List.of() : record.requests(Operation.WRITEBACK);
    }

    private static void perform(RequestQueue queue, dev.cowherd.image.Request request) throws IOException {
        List<Throwable> failures = new ArrayList<>();
        queue.submit(request);
        queue.await(1, (token, failure) -> {
            if (failure != null) {
                failures.add(failure);
            }
        });
        assertThat(failures).isEmpty();
    }

    private void write(RequestQueue queue, int first, int count) throws IOException {
        for (int i = first; i < first + count; i++) {
            perform(queue, new dev.cowherd.image.Request.Write(i, (long) i * CLUSTER, cluster));
        }
    }

    private static void flush(RequestQueue queue) throws IOException {
        perform(queue, new dev.cowherd.image.Request.Flush(-1));
    }

    @ParameterizedTest
    @EnumSource(value = Engine.class, mode = EnumSource.Mode.EXCLUDE, names = "AUTO")
    void nothingIsBegunForAGuestThatNeverFlushed(Engine engine) throws IOException {
        try (Disk disk = recorded(engine);
                RequestQueue queue = disk.openRequestQueue(1)) {
            write(queue, 0, 3 * CLUSTERS_OF_A_RUN);
            assertThat(begun()).isEmpty();
            flush(queue);
            assertThat(begun()).isEmpty();
        }
    }

    @ParameterizedTest
    @EnumSource(value = Engine.class, mode = EnumSource.Mode.EXCLUDE, names = "AUTO")
    void eachRunOfNewClustersIsBegunOnceItIsWritten(Engine engine) throws IOException {
        try (Disk disk = recorded(engine);
                RequestQueue queue = disk.openRequestQueue(1)) {
            flush(queue);
            RecordStorage seen = Objects.requireNonNull(record);
            seen.forget();
            write(queue, 0, 3 * CLUSTERS_OF_A_RUN);
            assertThat(begun()).hasSize(3);
            List<Request> all = seen.requests();
            for (Request run : begun()) {
                List<Request> before = all.subList(0, all.indexOf(run));
                for (long at = run.offset(); at < run.offset() + run.length(); at += CLUSTER) {
                    long place = at;
                    assertThat(before)
                            .as("the cluster at %d of %s", place, run)
                            .anyMatch(one -> one.operation() == Operation.WRITE && one.offset() == place);
                }
            }
            assertThat(begun().stream().mapToLong(Request::length).sum()).isEqualTo(3 * EarlyWriteback.RUN_BYTES);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 4, 8, 32})
    void theRequestsThatAQueueHasInFlightMakeRunsTogether(int depth) throws IOException {
        int count = 4 * CLUSTERS_OF_A_RUN;
        try (Disk disk = recorded(Engine.RING);
                RequestQueue queue = disk.openRequestQueue(depth)) {
            perform(queue, new dev.cowherd.image.Request.Flush(-1));
            int submitted = 0;
            while (submitted < count || queue.inFlight() > 0) {
                while (submitted < count && queue.inFlight() < depth) {
                    queue.submit(new dev.cowherd.image.Request.Write(submitted, (long) submitted * CLUSTER, cluster));
                    submitted++;
                }
                queue.await(1, (token, failure) -> assertThat(failure).isNull());
            }
            // What is left over for the flush is less than a run and what was in flight.
            long bytes = begun().stream().mapToLong(Request::length).sum();
            assertThat(bytes)
                    .isBetween((count - CLUSTERS_OF_A_RUN - depth) * (long) CLUSTER, (count + 2L * depth) * CLUSTER);
        }
    }

    @Test
    void whatIsWrittenInPlaceIsLeftToTheFlush() throws IOException {
        try (Disk disk = recorded(Engine.SYNC);
                RequestQueue queue = disk.openRequestQueue(1)) {
            write(queue, 0, 3 * CLUSTERS_OF_A_RUN);
            flush(queue);
            write(queue, 0, 3 * CLUSTERS_OF_A_RUN);
            assertThat(begun()).isEmpty();
        }
    }

    @Test
    void scatteredClustersAreLeftToTheFlush() throws IOException {
        try (Disk disk = recorded(Engine.SYNC);
                RequestQueue queue = disk.openRequestQueue(1)) {
            // Holes of a cluster each, too far from each other to make a run.
            write(queue, 0, 8 * CLUSTERS_OF_A_RUN);
            for (int i = 0; i < 8 * CLUSTERS_OF_A_RUN; i += CLUSTERS_OF_A_RUN) {
                perform(queue, new dev.cowherd.image.Request.Discard(i, (long) i * CLUSTER, CLUSTER));
            }
            flush(queue);
            flush(queue);
            write(queue, 9 * CLUSTERS_OF_A_RUN, 8);
            assertThat(begun()).isEmpty();
        }
    }

    @Test
    void twoQueuesThatTakeClustersInTurnBothHaveRuns() throws IOException {
        try (Disk disk = recorded(Engine.SYNC);
                RequestQueue one = disk.openRequestQueue(1);
                RequestQueue other = disk.openRequestQueue(1)) {
            flush(one);
            for (int i = 0; i < 4 * CLUSTERS_OF_A_RUN; i += 2) {
                write(one, i, 1);
                write(other, i + 1, 1);
            }
            assertThat(begun()).hasSizeGreaterThanOrEqualTo(6);
        }
    }

    @ParameterizedTest
    @EnumSource(value = Engine.class, mode = EnumSource.Mode.EXCLUDE, names = "AUTO")
    void anErrorOnTheWayToTheDeviceStopsWritingAsOneOfASyncDoes(Engine engine) throws IOException {
        Fault fault = Fault.of(Errno.EIO, Operation.WRITEBACK).onlyNumber(1);
        Disk disk = open(engine, file -> new FaultStorage(file, fault));
        List<@Nullable Throwable> ends = new ArrayList<>();
        try (RequestQueue queue = disk.openRequestQueue(1)) {
            write(queue, 0, 1);
            flush(queue);
            for (int i = 1; i < 2 * CLUSTERS_OF_A_RUN; i++) {
                queue.submit(new dev.cowherd.image.Request.Write(i, (long) i * CLUSTER, cluster));
                queue.await(1, (token, failure) -> ends.add(failure));
            }
            int failed = (int) ends.stream().takeWhile(end -> end == null).count();
            assertThat(ends.get(failed)).isInstanceOf(StorageException.class).hasMessageContaining("EIO");
            assertThat(ends.subList(failed + 1, ends.size()))
                    .isNotEmpty()
                    .allSatisfy(end -> assertThat(end)
                            .isInstanceOf(WriteStoppedException.class)
                            .hasMessageContaining("durable"));
            MemorySegment back = Arena.ofAuto().allocate(CLUSTER);
            perform(queue, new dev.cowherd.image.Request.Read(0, 0, back));
            assertThat(back.mismatch(cluster)).isEqualTo(-1);
        }
        assertThatThrownBy(disk::close).isInstanceOf(IOException.class);
        try (Disk again = open(engine, file -> file);
                RequestQueue queue = again.openRequestQueue(1)) {
            MemorySegment back = Arena.ofAuto().allocate(CLUSTER);
            perform(queue, new dev.cowherd.image.Request.Read(0, 0, back));
            assertThat(back.mismatch(cluster)).as("what was flushed before").isEqualTo(-1);
        }
    }
}
