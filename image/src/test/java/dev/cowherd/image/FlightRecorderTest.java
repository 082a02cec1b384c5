package dev.cowherd.image;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.storage.filter.DelayStorage;
import dev.cowherd.storage.filter.Operation;
import dev.cowherd.storage.filter.Parker;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The engine's events tell what happened and how long it took, also where a request left its thread meanwhile. */
class FlightRecorderTest {
    private static final int CLUSTER = 65536;
    private static final int DEPTH = 8;
    private static final Duration DELAY = Duration.ofMillis(5);

    @TempDir
    Path folder;

    @ParameterizedTest
    @EnumSource(value = Engine.class, mode = EnumSource.Mode.EXCLUDE, names = "AUTO")
    @Timeout(60)
    void requestsWaitsLoadsAndFlushesAreRecorded(Engine engine) throws IOException {
        List<RecordedEvent> events = record(engine);
        List<RecordedEvent> writes = of(events, "dev.cowherd.Request", "kind", "write");
        assertThat(writes).hasSize(DEPTH);
        assertThat(writes)
                .extracting(event -> event.getLong("offset"))
                .containsExactlyInAnyOrder(0L, 4096L, 8192L, 12288L, 16384L, 20480L, 24576L, 28672L);
        assertThat(writes).allSatisfy(event -> {
            assertThat(event.getLong("bytes")).isEqualTo(4096);
            assertThat(event.getDuration()).isGreaterThanOrEqualTo(DELAY);
        });
        assertThat(of(events, "dev.cowherd.Request", "kind", "flush")).hasSize(1);
        assertThat(of(events, "dev.cowherd.Request", "kind", "read")).hasSize(1);
        assertThat(of(events, "dev.cowherd.FlushRound", null, "")).isNotEmpty().allSatisfy(event -> {
            assertThat(event.getDuration()).isGreaterThanOrEqualTo(DELAY);
            assertThat(event.getThread().getJavaThreadId())
                    .isEqualTo(Thread.currentThread().threadId());
        });
        assertThat(of(events, "dev.cowherd.FlushStage", "stage", "sync data and refcounts"))
                .isNotEmpty();
        assertThat(of(events, "dev.cowherd.SliceLoad", null, "")).isNotEmpty();
        if (engine == Engine.RING) {
            // All eight write to one new cluster at once: seven wait for the first.
            assertThat(of(events, "dev.cowherd.Wait", "what", "clusters in flight"))
                    .hasSizeGreaterThanOrEqualTo(DEPTH - 1);
        }
    }

    @ParameterizedTest
    @EnumSource(value = Engine.class, mode = EnumSource.Mode.EXCLUDE, names = "AUTO")
    @Timeout(60)
    void readsPastTheFibersAreRecordedToo(Engine engine) throws IOException {
        Path image = folder.resolve("plain.qcow2");
        ImageCreator.create(
                image,
                CreateOptions.ofSize(1 << 20)
                        .preallocation(Preallocation.METADATA)
                        .build());
        try (Recording recording = new Recording()) {
            recording.enable("dev.cowherd.Request").withThreshold(Duration.ZERO);
            try (Disk disk = Disk.open(image, DiskOptions.defaults().withEngine(engine));
                    RequestQueue queue = disk.openRequestQueue(2);
                    Arena arena = Arena.ofConfined()) {
                MemorySegment block = arena.allocate(4096);
                queue.submit(new Request.Read(0, 0, block));
                awaitAll(queue);
                long before = queue.shortWays();
                recording.start();
                queue.submit(new Request.Read(1, 8192, block));
                awaitAll(queue);
                assertThat(queue.shortWays() - before).isEqualTo(engine == Engine.RING ? 1 : 0);
            }
            assertThat(eventsOf(recording)).singleElement().satisfies(event -> {
                assertThat(event.getLong("offset")).isEqualTo(8192);
                assertThat(event.getLong("bytes")).isEqualTo(4096);
                assertThat(event.getDuration()).isPositive();
            });
        }
    }

    @ParameterizedTest
    @EnumSource(value = Engine.class, mode = EnumSource.Mode.EXCLUDE, names = "AUTO")
    @Timeout(60)
    void shortRequestsAreNot(Engine engine) throws IOException {
        Path image = folder.resolve("fast.qcow2");
        ImageCreator.create(image, CreateOptions.ofSize(1 << 20).build());
        try (Recording recording = new Recording()) {
            recording.enable("dev.cowherd.Request").withThreshold(Duration.ofMinutes(1));
            recording.start();
            try (Disk disk = Disk.open(image, DiskOptions.defaults().withEngine(engine));
                    RequestQueue queue = disk.openRequestQueue(1);
                    Arena arena = Arena.ofConfined()) {
                queue.submit(new Request.Read(1, 0, arena.allocate(4096)));
                queue.await(1, (token, failure) -> assertThat(failure).isNull());
            }
            assertThat(eventsOf(recording)).isEmpty();
        }
    }

    private List<RecordedEvent> record(Engine engine) throws IOException {
        Path image = folder.resolve("slow.qcow2");
        ImageCreator.create(image, CreateOptions.ofSize(1L << 30).build());
        DiskOptions options = DiskOptions.defaults()
                .withWritable(true)
                .withEngine(engine)
                .withSliceCacheBytes(0)
                .withStorageFilter(storage -> new DelayStorage(
                        storage,
                        request -> request.operation() == Operation.WRITE || request.operation() == Operation.SYNC
                                ? DELAY.toNanos()
                                : 0,
                        Parker.REAL_TIME));
        try (Disk disk = Disk.open(image, options);
                RequestQueue queue = disk.openRequestQueue(DEPTH);
                Arena arena = Arena.ofConfined();
                Recording recording = new Recording()) {
            // So that the table is there and not in memory: there is room for one slice, and another came last.
            try (DiskQueue first = disk.openQueue()) {
                first.write(CLUSTER, arena.allocate(CLUSTER));
                first.flush();
                first.write(disk.sizeBytes() - CLUSTER, arena.allocate(CLUSTER));
                first.flush();
            }
            for (String event : List.of("Request", "Wait", "SliceLoad", "FlushRound", "FlushStage")) {
                recording.enable("dev.cowherd." + event).withThreshold(Duration.ZERO);
            }
            recording.start();
            for (int i = 0; i < DEPTH; i++) {
                MemorySegment block = arena.allocate(4096);
                queue.submit(new Request.Write(i, i * 4096L, block));
            }
            awaitAll(queue);
            queue.submit(new Request.Flush(DEPTH));
            awaitAll(queue);
            queue.submit(new Request.Read(DEPTH + 1L, 0, arena.allocate(4096)));
            awaitAll(queue);
            return eventsOf(recording);
        }
    }

    /** Two reads that need one table, then two flushes: of each pair the second waits for the first. */
    @Test
    @Timeout(60)
    void whatRequestsOfOneQueueWaitForIsNamed() throws IOException {
        Path image = folder.resolve("shared.qcow2");
        ImageCreator.create(image, CreateOptions.ofSize(1L << 30).build());
        DiskOptions options = DiskOptions.defaults().withWritable(true).withEngine(Engine.RING);
        try (Disk disk = Disk.open(image, options);
                DiskQueue queue = disk.openQueue();
                Arena arena = Arena.ofConfined()) {
            queue.write(0, arena.allocate(2 * CLUSTER));
        }
        DiskOptions slow = options.withStorageFilter(
                storage -> new DelayStorage(storage, request -> DELAY.toNanos(), Parker.REAL_TIME));
        try (Disk disk = Disk.open(image, slow);
                RequestQueue queue = disk.openRequestQueue(DEPTH);
                Arena arena = Arena.ofConfined();
                Recording recording = new Recording()) {
            recording.enable("dev.cowherd.Wait").withThreshold(Duration.ZERO);
            recording.start();
            queue.submit(new Request.Read(0, 0, arena.allocate(4096)));
            queue.submit(new Request.Read(1, CLUSTER, arena.allocate(4096)));
            awaitAll(queue);
            queue.submit(new Request.Write(2, 4 * CLUSTER, arena.allocate(CLUSTER)));
            awaitAll(queue);
            queue.submit(new Request.Flush(3));
            queue.submit(new Request.Flush(4));
            awaitAll(queue);
            List<RecordedEvent> events = eventsOf(recording);
            for (String what : List.of("slice load", "flush round")) {
                assertThat(of(events, "dev.cowherd.Wait", "what", what))
                        .as(what)
                        .singleElement()
                        .satisfies(event -> assertThat(event.getDuration()).isGreaterThan(Duration.ofNanos(1000)));
            }
        }
    }

    private static void awaitAll(RequestQueue queue) throws IOException {
        while (queue.inFlight() > 0) {
            queue.await(1, (token, failure) -> assertThat(failure).isNull());
        }
    }

    private List<RecordedEvent> eventsOf(Recording recording) throws IOException {
        recording.stop();
        Path file = folder.resolve("events.jfr");
        recording.dump(file);
        return RecordingFile.readAllEvents(file);
    }

    private static List<RecordedEvent> of(
            List<RecordedEvent> events, String name, @Nullable String field, String value) {
        return events.stream()
                .filter(event -> event.getEventType().getName().equals(name))
                .filter(event -> field == null || value.equals(event.getString(field)))
                .toList();
    }
}
