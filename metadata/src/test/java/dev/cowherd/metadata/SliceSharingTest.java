package dev.cowherd.metadata;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.format.L2Entry;
import dev.cowherd.storage.Errno;
import dev.cowherd.storage.Storage;
import dev.cowherd.storage.StorageException;
import dev.cowherd.storage.filter.Fault;
import dev.cowherd.storage.filter.FaultStorage;
import dev.cowherd.storage.filter.GateStorage;
import dev.cowherd.storage.filter.InterceptingStorage;
import dev.cowherd.storage.filter.Operation;
import dev.cowherd.storage.filter.RecordStorage;
import dev.cowherd.storage.filter.Request;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** How look-ups of many queues share slices: each rule here fails without the code that keeps it. */
@Timeout(value = 120, unit = TimeUnit.SECONDS)
class SliceSharingTest {
    private static final int QUEUES = 8;
    private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(20);
    /** Clusters of 512 bytes: an L2 table is one slice of 512 bytes and maps 32 KiB. */
    private static final int SLICE_BYTES = 512;

    private static final long SLICE_GUEST_BYTES = 32 << 10;
    private static final int SLICES = 64;

    /** An image of 64 slices; guest cluster c is at a host cluster that only a right look-up finds. */
    private static TinyImage image() throws IOException {
        TinyImage image = new TinyImage(3, 9, false, SLICES * SLICE_GUEST_BYTES);
        for (int slice = 0; slice < SLICES; slice++) {
            image.table(slice * SLICE_GUEST_BYTES);
            long host = image.cluster();
            image.entry(slice * SLICE_GUEST_BYTES + 512L * (slice % 64), L2Entry.standard(host, true, false));
        }
        return image;
    }

    private static List<Throwable> inParallel(int threads, Callable<?> work) throws InterruptedException {
        List<Throwable> failures = new ArrayList<>();
        ExecutorService pool = Executors.newFixedThreadPool(threads);
        try {
            List<Future<?>> futures = new ArrayList<>();
            for (int i = 0; i < threads; i++) {
                futures.add(pool.submit(work));
            }
            for (Future<?> future : futures) {
                try {
                    future.get();
                } catch (ExecutionException e) {
                    failures.add(e.getCause());
                }
            }
        } finally {
            pool.shutdownNow();
        }
        return failures;
    }

    /** Holds each read of a slice until all other queues wait for the one that reads. */
    private static final class LastOneReads extends InterceptingStorage {
        private final List<Thread> queues;
        private final int others;

        LastOneReads(Storage next, List<Thread> queues, int others) {
            super(next);
            this.queues = queues;
            this.others = others;
        }

        @Override
        protected void begin(Request request) {
            if (request.operation() == Operation.READ && request.length() == SLICE_BYTES) {
                long deadline = System.nanoTime() + PATIENCE_NANOS;
                while (waiting() < others && System.nanoTime() < deadline) {
                    Thread.onSpinWait();
                }
            }
        }

        private long waiting() {
            synchronized (queues) {
                return queues.stream()
                        .filter(thread -> thread.getState() == Thread.State.WAITING)
                        .count();
            }
        }

        @Override
        protected InterceptingStorage around(Storage reopened) {
            return new LastOneReads(reopened, queues, others);
        }
    }

    /** Runs one look-up of the same slice on every queue at once; the load goes on when all the others wait for it. */
    private static List<Throwable> missTogether(ImageMap map, Storage storage) throws InterruptedException {
        List<Thread> queues = new ArrayList<>();
        CountDownLatch start = new CountDownLatch(QUEUES);
        return inParallel(QUEUES, () -> {
            synchronized (queues) {
                queues.add(Thread.currentThread());
            }
            ChainLookup lookup = TinyImage.lookup(map, new LastOneReads(storage, queues, QUEUES - 1), null);
            start.countDown();
            // Not by waiting: who waits must be waiting for the load.
            while (start.getCount() > 0) {
                Thread.onSpinWait();
            }
            return lookup.map(0, 1);
        });
    }

    @Test
    void aSliceThatManyQueuesMissIsReadOnce() throws Exception {
        TinyImage image = image();
        ImageMap map = image.map(new SliceCache(1 << 20));
        RecordStorage record = new RecordStorage(image.file);
        assertThat(missTogether(map, record)).isEmpty();
        assertThat(record.requests(Operation.READ)).hasSize(1);
    }

    @Test
    void aFailedLoadReachesEveryWaiterAndTheNextLookUpTriesAgain() throws Exception {
        TinyImage image = image();
        ImageMap map = image.map(new SliceCache(1 << 20));
        FaultStorage faulty = new FaultStorage(image.file, Fault.of(Errno.EIO, Operation.READ));
        List<Throwable> failures = missTogether(map, faulty);
        assertThat(failures)
                .hasSize(QUEUES)
                .allSatisfy(failure -> assertThat(failure).isInstanceOf(StorageException.class));
        faulty.clear();
        Extent found = TinyImage.lookup(map, faulty, null).map(0, 1);
        assertThat(found).isInstanceOf(Extent.Data.class);
    }

    @Test
    void queuesThatMissDifferentSlicesReadThemAtOnce() throws Exception {
        TinyImage image = image();
        ImageMap map = image.map(new SliceCache(1 << 20));
        GateStorage gate = GateStorage.forReads(image.file, QUEUES);
        AtomicReference<Integer> next = new AtomicReference<>(0);
        List<Throwable> failures = inParallel(QUEUES, () -> {
            int slice = next.getAndUpdate(n -> n + 1);
            return TinyImage.lookup(map, gate, null).map(slice * SLICE_GUEST_BYTES, 1);
        });
        assertThat(failures).isEmpty();
        assertThat(gate.meetings()).isEqualTo(1);
    }

    /** A look-up on a thread of its own that has come to the gate. */
    private static Thread startLoad(ImageMap map, GateStorage gate, long offset) {
        Thread loader = Thread.ofPlatform().start(() -> {
            try {
                TinyImage.lookup(map, gate, null).map(offset, 1);
            } catch (IOException e) {
                throw new IllegalStateException(e);
            }
        });
        while (loader.isAlive() && loader.getState() != Thread.State.TIMED_WAITING) {
            Thread.onSpinWait();
        }
        return loader;
    }

    @Test
    void aHitGoesOnWhileAnotherQueueLoads() throws Exception {
        TinyImage image = image();
        ImageMap map = image.map(new SliceCache(1 << 20));
        TinyImage.lookup(map, image.file, null).map(0, 1);
        GateStorage gate = GateStorage.forReads(image.file, 2);
        Thread loader = startLoad(map, gate, SLICE_GUEST_BYTES);
        // The same page of the index, and the load still in it: a hit needs neither.
        assertThat(TinyImage.lookup(map, gate, null).map(0, 1)).isInstanceOf(Extent.Data.class);
        assertThat(loader.getState()).isEqualTo(Thread.State.TIMED_WAITING);
        gate.open();
        loader.join();
    }

    @Test
    void aTinyBudgetIsKeptAndEveryAnswerIsRight() throws Exception {
        long seed = Long.getLong("cowherd.seed", System.nanoTime());
        TinyImage image = image();
        long budget = 2 * (SLICE_BYTES + 128);
        SliceCache cache = new SliceCache(budget);
        ImageMap map = image.map(cache);
        ChainLookup all = image.lookup();
        List<Extent> expected = new ArrayList<>();
        for (int cluster = 0; cluster < SLICES * 64; cluster++) {
            expected.add(all.map(cluster * 512L, 512));
        }
        AtomicReference<Long> nextSeed = new AtomicReference<>(seed);
        List<Throwable> failures = inParallel(QUEUES, () -> {
            Random random = new Random(nextSeed.getAndUpdate(n -> n + 1));
            ChainLookup lookup = TinyImage.lookup(map, image.file, null);
            for (int i = 0; i < 20_000; i++) {
                int cluster = random.nextInt(SLICES * 64);
                assertThat(lookup.map(cluster * 512L, 512)).isEqualTo(expected.get(cluster));
            }
            return null;
        });
        assertThat(failures).as("seed %d", seed).isEmpty();
        assertThat(cache.bytes()).isLessThanOrEqualTo(budget);
    }

    @Test
    void aSliceInUseOutlivesOneThatIsNot() throws Exception {
        TinyImage image = image();
        ImageMap map = image.map(new SliceCache(4 * (SLICE_BYTES + 128)));
        RecordStorage record = new RecordStorage(image.file);
        ChainLookup lookup = TinyImage.lookup(map, record, null);
        lookup.map(0, 1);
        for (int slice = 1; slice < SLICES; slice++) {
            lookup.map(slice * SLICE_GUEST_BYTES, 1);
            lookup.map(0, 1);
        }
        long firstSlice = image.table(0);
        assertThat(record.requests(Operation.READ))
                .filteredOn(request -> request.offset() == firstSlice)
                .hasSizeLessThan(SLICES / 8);
    }

    @Test
    void anInterruptedWaiterGetsItsSliceAndKeepsItsInterrupt() throws Exception {
        TinyImage image = image();
        ImageMap map = image.map(new SliceCache(1 << 20));
        GateStorage gate = GateStorage.forReads(image.file, 2);
        Thread loader = startLoad(map, gate, 0);
        AtomicReference<Object> answer = new AtomicReference<>();
        Thread waiter = Thread.ofPlatform().start(() -> {
            Thread.currentThread().interrupt();
            try {
                Extent found = TinyImage.lookup(map, gate, null).map(0, 1);
                answer.set(Thread.currentThread().isInterrupted() ? found : "the interrupt was lost");
            } catch (IOException e) {
                answer.set(e);
            }
        });
        while (waiter.isAlive() && waiter.getState() != Thread.State.WAITING) {
            Thread.onSpinWait();
        }
        gate.open();
        waiter.join();
        loader.join();
        assertThat(answer.get()).isInstanceOf(Extent.Data.class);
    }
}
