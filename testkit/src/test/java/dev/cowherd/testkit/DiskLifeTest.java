package dev.cowherd.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.DiskQueue;
import dev.cowherd.image.Engine;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ReadOnlyBufferException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A disk under threads that open, close, interrupt and misuse it: right bytes or a clear error, never a hang. */
final class DiskLifeTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);

    /** A chain with compressed clusters, subclusters and snapshots. */
    private static Path image = Path.of("");

    private static byte[] expected = {};

    @BeforeAll
    static void chain() {
        ImageRecipe recipe = ImageRecipes.pairwise(1).stream()
                .filter(r -> r.extendedL2() && r.compression() != ImageRecipe.Compression.NONE && r.layers() > 2)
                .findFirst()
                .orElseThrow();
        image = QemuImages.shared().make(recipe).top();
        expected = QemuImg.v10().bytesOf(image);
    }

    @Test
    void queuesComeAndGoWhileOthersRead() {
        assertTimeoutPreemptively(LIMIT, () -> {
            try (Disk disk = Disk.open(image, DiskOptions.defaults().withSliceCacheBytes(8192));
                    ExecutorService threads = Executors.newFixedThreadPool(3)) {
                GuestReads reads = new GuestReads(disk, expected, "queues come and go");
                AtomicBoolean done = new AtomicBoolean();
                List<Future<?>> readers = new ArrayList<>();
                for (int i = 0; i < 2; i++) {
                    long seed = i;
                    readers.add(threads.submit(() -> {
                        reads.fromOneQueue(Reads.engineOf(seed), seed);
                        return null;
                    }));
                }
                Future<?> opener = threads.submit(() -> {
                    Random random = new Random(5);
                    for (int i = 0; i < 200 && !done.get(); i++) {
                        try (Reads queue = Reads.of(Reads.engineOf(i), disk);
                                Arena arena = Arena.ofConfined()) {
                            reads.read(queue, random.nextInt(expected.length - 5000), arena.allocate(5000));
                        }
                    }
                    return null;
                });
                for (Future<?> reader : readers) {
                    reader.get();
                }
                done.set(true);
                opener.get();
            }
        });
    }

    @Test
    void closingTheDiskEndsReadersWithAClearError() {
        assertTimeoutPreemptively(LIMIT, () -> {
            for (int round = 0; round < 20; round++) {
                Disk disk = Disk.open(image, DiskOptions.defaults());
                GuestReads reads = new GuestReads(disk, expected, "closing");
                CountDownLatch reading = new CountDownLatch(3);
                try (ExecutorService threads = Executors.newFixedThreadPool(3)) {
                    List<Future<String>> ends = new ArrayList<>();
                    for (int i = 0; i < 3; i++) {
                        Engine engine = Reads.engineOf(i);
                        Random random = new Random(round * 10L + i);
                        ends.add(threads.submit(() -> readUntilRefused(engine, disk, reads, reading, random)));
                    }
                    reading.await();
                    disk.close();
                    for (Future<String> end : ends) {
                        assertThat(end.get()).contains("closed");
                    }
                }
                disk.close();
                assertThatThrownBy(disk::openQueue)
                        .isInstanceOf(IllegalStateException.class)
                        .hasMessageContaining("closed");
            }
        });
    }

    private static String readUntilRefused(
            Engine engine, Disk disk, GuestReads reads, CountDownLatch reading, Random random) throws Exception {
        try (Reads queue = Reads.of(engine, disk);
                Arena arena = Arena.ofConfined()) {
            MemorySegment buffer = arena.allocate(300_000);
            while (true) {
                reads.read(queue, random.nextInt(expected.length - 300_000), buffer);
                reading.countDown();
            }
        } catch (IllegalStateException e) {
            return String.valueOf(e.getMessage());
        }
    }

    @Test
    void interruptsNeitherStopNorSpoilReads() {
        assertTimeoutPreemptively(LIMIT, () -> {
            try (Disk disk = Disk.open(image, DiskOptions.defaults().withSliceCacheBytes(0))) {
                GuestReads reads = new GuestReads(disk, expected, "interrupts");
                AtomicBoolean done = new AtomicBoolean();
                List<Throwable> failures = new ArrayList<>();
                List<Thread> readers = new ArrayList<>();
                for (int i = 0; i < 3; i++) {
                    long seed = i;
                    readers.add(Thread.ofPlatform().start(() -> {
                        try {
                            reads.fromOneQueue(Reads.engineOf(seed), seed);
                        } catch (Throwable e) {
                            synchronized (failures) {
                                failures.add(e);
                            }
                        }
                    }));
                }
                Thread interrupter = Thread.ofPlatform().start(() -> {
                    while (!done.get()) {
                        readers.forEach(Thread::interrupt);
                        Thread.onSpinWait();
                    }
                });
                for (Thread reader : readers) {
                    reader.join();
                }
                done.set(true);
                interrupter.join();
                assertThat(failures).isEmpty();
            }
        });
    }

    @ParameterizedTest
    @EnumSource(
            value = Engine.class,
            names = {"SYNC", "RING"})
    void anInterruptIsKeptForTheCaller(Engine engine) throws Exception {
        try (Disk disk = Disk.open(image, DiskOptions.defaults());
                Reads queue = Reads.of(engine, disk)) {
            byte[] bytes = new byte[100];
            Thread.currentThread().interrupt();
            queue.read(0, MemorySegment.ofArray(bytes));
            assertThat(Thread.interrupted()).isTrue();
            assertThat(bytes).isEqualTo(Arrays.copyOf(expected, 100));
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = Engine.class,
            names = {"SYNC", "RING"})
    void segmentsOfAllKinds(Engine engine) throws Exception {
        try (Disk disk = Disk.open(image, DiskOptions.defaults());
                Reads queue = Reads.of(engine, disk);
                Arena arena = Arena.ofConfined()) {
            GuestReads reads = new GuestReads(disk, expected, "segments");
            reads.read(queue, 12_345, MemorySegment.ofArray(new byte[1_000_003]));
            reads.read(queue, 1, arena.allocate(70_001, 1));
            reads.read(queue, 65_535, arena.allocate(70_001).asSlice(3, 66_000));
            reads.read(queue, 65_535, MemorySegment.ofArray(new byte[70_001]).asSlice(3, 66_000));
            queue.read(5, MemorySegment.NULL);
            MemorySegment constant = arena.allocate(10).asReadOnly();
            assertThatThrownBy(() -> queue.read(0, constant)).isInstanceOf(IllegalArgumentException.class);
        }
    }

    @Test
    void buffersOfAllKinds() throws Exception {
        try (Disk disk = Disk.open(image, DiskOptions.defaults());
                DiskQueue queue = disk.openQueue()) {

            ByteBuffer window = ByteBuffer.allocateDirect(1000).position(10).limit(510);
            queue.read(777, window);
            assertThat(window.position()).isEqualTo(510);
            assertThat(MemorySegment.ofBuffer(window.position(10))
                            .mismatch(MemorySegment.ofArray(expected).asSlice(777, 500)))
                    .isEqualTo(-1);

            queue.read(disk.sizeBytes(), ByteBuffer.allocate(0));
            assertThatThrownBy(() -> queue.read(0, ByteBuffer.allocate(10).asReadOnlyBuffer()))
                    .isInstanceOf(ReadOnlyBufferException.class);
        }
    }

    @Test
    void requestsOutsideTheDisk() throws Exception {
        try (Disk disk = Disk.open(image, DiskOptions.defaults());
                DiskQueue queue = disk.openQueue()) {
            long size = disk.sizeBytes();
            for (long offset :
                    new long[] {-1, Long.MIN_VALUE, Long.MAX_VALUE, Long.MAX_VALUE - 3, size - 3, size, size + 1}) {
                ByteBuffer buffer = ByteBuffer.allocate(4);
                assertThatThrownBy(() -> queue.read(offset, buffer))
                        .isInstanceOf(IndexOutOfBoundsException.class)
                        .hasMessageContaining(Long.toString(offset));
                assertThat(buffer.position()).isZero();
            }
            for (long offset : new long[] {-1, size, Long.MAX_VALUE}) {
                assertThatThrownBy(() -> queue.status(offset, 1)).isInstanceOf(IndexOutOfBoundsException.class);
            }
            assertThatThrownBy(() -> queue.status(0, 0)).isInstanceOf(IndexOutOfBoundsException.class);
            assertThat(queue.status(size - 1, Long.MAX_VALUE).length()).isEqualTo(1);
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = Engine.class,
            names = {"SYNC", "RING"})
    void aSegmentThatCannotBeWrittenFailsAndLeavesTheQueueUsable(Engine engine) throws Exception {
        try (Disk disk = Disk.open(image, DiskOptions.defaults());
                Reads queue = Reads.of(engine, disk);
                Arena good = Arena.ofConfined()) {
            Arena gone = Arena.ofConfined();
            MemorySegment dead = gone.allocate(100);
            gone.close();
            assertThatThrownBy(() -> queue.read(0, dead)).isInstanceOf(IllegalStateException.class);
            MemorySegment foreign;
            try (ExecutorService other = Executors.newSingleThreadExecutor()) {
                foreign = other.submit(() -> Arena.ofConfined().allocate(100)).get();
            }
            assertThatThrownBy(() -> queue.read(0, foreign)).isInstanceOf(WrongThreadException.class);
            new GuestReads(disk, expected, "after misuse").read(queue, 0, good.allocate(100_000));
        }
    }
}
