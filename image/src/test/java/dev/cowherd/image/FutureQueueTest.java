package dev.cowherd.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowherd.storage.Storage;
import dev.cowherd.storage.filter.InterceptingStorage;
import dev.cowherd.storage.filter.Operation;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Requests of any thread are answered by futures, each once, whichever engine carries them, also while the queue is closed. */
@Timeout(value = 120, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class FutureQueueTest {
    private static final int BLOCK = 4096;
    private static final int DISK_BYTES = 4 << 20;
    private final Arena arena = Arena.ofAuto();

    @TempDir
    Path folder;

    private Disk disk(DiskOptions options) throws IOException {
        Path image = folder.resolve("disk.qcow2");
        if (!Files.exists(image)) {
            ImageCreator.create(image, CreateOptions.ofSize(DISK_BYTES).build());
        }
        return Disk.open(image, options);
    }

    private Disk disk(Engine engine) throws IOException {
        return disk(DiskOptions.defaults().withWritable(true).withEngine(engine));
    }

    private MemorySegment block(int value) {
        return arena.allocate(BLOCK).fill((byte) value);
    }

    @ParameterizedTest
    @EnumSource(names = {"SYNC", "RING"})
    void whatManyThreadsWriteThroughOneQueueIsRead(Engine engine) throws Exception {
        try (Disk disk = disk(engine);
                FutureQueue queue = disk.openFutureQueue(8);
                ExecutorService threads = Executors.newFixedThreadPool(4)) {
            List<Callable<Void>> writers = new ArrayList<>();
            for (int t = 0; t < 4; t++) {
                int first = t;
                writers.add(() -> {
                    List<CompletableFuture<Void>> written = new ArrayList<>();
                    for (int i = first; i < DISK_BYTES / BLOCK; i += 4) {
                        written.add(queue.write((long) i * BLOCK, block(i % 251)));
                    }
                    for (CompletableFuture<Void> one : written) {
                        one.get();
                    }
                    return queue.flush().get();
                });
            }
            for (Future<Void> writer : threads.invokeAll(writers)) {
                writer.get();
            }
            for (int i = 0; i < DISK_BYTES / BLOCK; i++) {
                MemorySegment read = arena.allocate(BLOCK);
                queue.read((long) i * BLOCK, read).get();
                assertThat(read.mismatch(block(i % 251))).as("block " + i).isEqualTo(-1);
            }
        }
    }

    /** The queue sleeps before each of them. */
    @ParameterizedTest
    @EnumSource(names = {"SYNC", "RING"})
    void aSleepingQueueIsWokenEachTime(Engine engine) throws Exception {
        try (Disk disk = disk(engine);
                FutureQueue queue = disk.openFutureQueue(4);
                ExecutorService threads = Executors.newFixedThreadPool(2)) {
            List<MemorySegment> blocks = new ArrayList<>();
            for (int i = 0; i < 16; i++) {
                blocks.add(block(i + 1));
                queue.write((long) i * BLOCK, blocks.get(i)).get();
            }
            Callable<Void> asking = () -> {
                MemorySegment buffer = arena.allocate(BLOCK);
                for (int i = 0; i < 3000; i++) {
                    queue.read((long) (i % 16) * BLOCK, buffer).get();
                    assertThat(buffer.mismatch(blocks.get(i % 16))).isEqualTo(-1);
                }
                return null;
            };
            for (Future<Void> one : threads.invokeAll(List.of(asking, asking))) {
                one.get();
            }
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"SYNC", "RING"})
    void whatDependsOnARequestMayAskForMore(Engine engine) throws Exception {
        try (Disk disk = disk(engine);
                FutureQueue queue = disk.openFutureQueue(1)) {
            MemorySegment read = arena.allocate(BLOCK);
            CompletableFuture<Void> chain = queue.write(0, block(1));
            for (int i = 2; i <= 100; i++) {
                MemorySegment next = block(i);
                chain = chain.thenCompose(done -> queue.write(0, next));
            }
            chain.thenCompose(done -> queue.writeZeroes(BLOCK, BLOCK, ZeroMode.MAY_UNMAP))
                    .thenCompose(done -> queue.discard(2 * BLOCK, BLOCK))
                    .thenCompose(done -> queue.flush())
                    .thenCompose(done -> queue.read(0, read))
                    .get();
            assertThat(read.mismatch(block(100))).isEqualTo(-1);
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"SYNC", "RING"})
    void errorsKeepTheirType(Engine engine) throws Exception {
        try (Disk disk = disk(engine);
                FutureQueue queue = disk.openFutureQueue(2)) {
            assertThatThrownBy(() -> queue.read(DISK_BYTES, block(0)).get())
                    .isInstanceOf(ExecutionException.class)
                    .hasCauseInstanceOf(IndexOutOfBoundsException.class);
            queue.write(0, block(1)).get();
        }
        try (Disk disk = disk(DiskOptions.defaults().withEngine(engine));
                FutureQueue queue = disk.openFutureQueue(2)) {
            assertThatThrownBy(() -> queue.write(0, block(0)).get())
                    .isInstanceOf(ExecutionException.class)
                    .hasCauseInstanceOf(ReadOnlyDiskException.class);
        }
    }

    /** Holds the first write to the host until it is let go. */
    private static final class Held extends InterceptingStorage {
        private final CountDownLatch reached;
        private final CountDownLatch released;

        Held(Storage next, CountDownLatch reached, CountDownLatch released) {
            super(next);
            this.reached = reached;
            this.released = released;
        }

        @Override
        protected void begin(dev.cowherd.storage.filter.Request request) {
            if (request.operation() == Operation.WRITE) {
                reached.countDown();
                try {
                    released.await();
                } catch (InterruptedException e) {
                    throw new AssertionError(e);
                }
            }
        }

        @Override
        protected Held around(Storage reopened) {
            return new Held(reopened, reached, released);
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"SYNC", "RING"})
    void whatWaitsCanBeCancelledAndWhatIsUnderWayCannot(Engine engine) throws Exception {
        CountDownLatch reached = new CountDownLatch(1);
        CountDownLatch released = new CountDownLatch(1);
        DiskOptions options = DiskOptions.defaults()
                .withWritable(true)
                .withEngine(engine)
                .withStorageFilter(storage -> new Held(storage, reached, released));
        try (Disk disk = disk(options);
                FutureQueue queue = disk.openFutureQueue(1)) {
            CompletableFuture<Void> underWay = queue.write(0, block(1));
            reached.await();
            CompletableFuture<Void> waits = queue.write(BLOCK, block(2));
            assertThat(underWay.cancel(true)).isFalse();
            assertThat(waits.cancel(true)).isTrue();
            assertThat(waits.cancel(true)).isTrue();
            released.countDown();
            underWay.get();
            assertThatThrownBy(waits::get).isInstanceOf(CancellationException.class);
            MemorySegment read = block(9);
            queue.read(BLOCK, read).get();
            assertThat(read.mismatch(block(0))).as("nothing of the cancelled").isEqualTo(-1);
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"SYNC", "RING"})
    void closingUnderLoadLetsAllThatWasAskedForEnd(Engine engine) throws Exception {
        for (int round = 1; round <= 20; round++) {
            List<CompletableFuture<Void>> written = new ArrayList<>();
            boolean byDisk = round % 2 == 0;
            Disk disk = disk(engine);
            FutureQueue queue = disk.openFutureQueue(8);
            for (int i = 0; i < 300; i++) {
                written.add(queue.write((long) (i + round) * BLOCK, block(round)));
            }
            if (byDisk) {
                disk.close();
            } else {
                queue.close();
            }
            assertThat(written).allMatch(one -> one.isDone() && !one.isCompletedExceptionally());
            assertThatThrownBy(() -> queue.flush().get()).hasCauseInstanceOf(IllegalStateException.class);
            queue.close();
            disk.close();
            try (Disk again = disk(engine);
                    DiskQueue reader = again.openQueue()) {
                MemorySegment read = arena.allocate(BLOCK);
                for (int i = 0; i < 300; i += 7) {
                    reader.read((long) (i + round) * BLOCK, read);
                    assertThat(read.mismatch(block(round))).isEqualTo(-1);
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"SYNC", "RING"})
    void aQueueDoesNotWaitForItselfAndNoneIsOpenedOnAClosedDisk(Engine engine) throws Exception {
        try (Disk disk = disk(engine)) {
            FutureQueue queue = disk.openFutureQueue(2);
            CompletableFuture<Boolean> refused = queue.flush().thenApply(done -> {
                try {
                    queue.close();
                    return false;
                } catch (IOException | IllegalStateException e) {
                    return e instanceof IllegalStateException;
                }
            });
            // Where the flush was quicker than this thread, that ran here, where closing is right.
            assertThat(refused.get() || queue.flush().isCompletedExceptionally())
                    .isTrue();
        }
        Disk disk = disk(engine);
        disk.close();
        assertThatThrownBy(() -> disk.openFutureQueue(2)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> disk.openRequestQueue(2)).isInstanceOf(IllegalStateException.class);
    }
}
