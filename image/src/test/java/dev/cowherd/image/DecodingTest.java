package dev.cowherd.image;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.format.CompressionType;
import dev.cowherd.format.CorruptImageException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * A deep queue has clusters decompressed on spare cores: several at once, no more than there are cores, with the same bytes and errors as on its own
 * thread, and nothing is given back before that has ended.
 *
 * <p>Whether two requests are ready at the same moment is the kernel's to say; so each case is played until it came about.
 */
@Timeout(value = 120, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class DecodingTest {
    private static final int CLUSTER = 64 << 10;
    private static final int DEPTH = 8;
    private static final int ROUNDS = 200;

    @TempDir
    Path folder;

    private byte[] expected = new byte[0];

    private interface Step {
        void take(boolean elsewhere, MemorySegment cluster) throws CorruptImageException;
    }

    /** Decoders with a step before and one after each cluster, and so many spare cores. */
    private record Played(SpareCores spareCores, Step before, Step after) implements Decoder.Factory {
        @Override
        public Decoder decoderFor(CompressionType type) {
            Decoder real = CODECS.decoderFor(type);
            Thread queue = Thread.currentThread();
            AtomicBoolean inUse = new AtomicBoolean();
            AtomicBoolean closed = new AtomicBoolean();
            return new Decoder() {
                @Override
                public void decode(MemorySegment compressed, MemorySegment cluster) throws CorruptImageException {
                    assertThat(inUse.compareAndSet(false, true))
                            .as("one cluster at a time")
                            .isTrue();
                    boolean elsewhere = !Thread.currentThread().equals(queue);
                    try {
                        before.take(elsewhere, cluster);
                        assertThat(closed).isFalse();
                        real.decode(compressed, cluster);
                        after.take(elsewhere, cluster);
                    } finally {
                        inUse.set(false);
                    }
                }

                @Override
                public void close() {
                    assertThat(inUse).as("closed in use").isFalse();
                    closed.set(true);
                    real.close();
                }
            };
        }
    }

    private static final Step NOTHING = (elsewhere, cluster) -> {};

    private Path image(String type, int bytes) throws Exception {
        Qemu qemu = new Qemu(folder);
        expected = qemu.compressible("c.raw", bytes, 6);
        return qemu.compressed("c.raw", "compression_type=" + type);
    }

    private static Disk open(Path path, Decoder.Factory decoders) throws IOException {
        DiskOptions options = DiskOptions.defaults().withEngine(Engine.RING).withFibers();
        return new Disk(ChainOpener.open(path, options), options, decoders);
    }

    private static void pass(CountDownLatch gate) {
        try {
            assertThat(gate.await(60, TimeUnit.SECONDS)).as("the gate opens").isTrue();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    private MemorySegment[] submitAll(RequestQueue queue) throws IOException {
        MemorySegment[] buffers = new MemorySegment[DEPTH];
        for (int i = 0; i < DEPTH; i++) {
            buffers[i] = queue.allocate(CLUSTER);
            queue.submit(new Request.Read(i, (long) i * CLUSTER, buffers[i]));
        }
        return buffers;
    }

    private static void awaitAll(RequestQueue queue, Map<Long, Throwable> failures) throws IOException {
        while (queue.inFlight() > 0) {
            queue.await(1, (token, failure) -> note(failures, token, failure));
        }
    }

    private static void note(Map<Long, Throwable> failures, long token, @Nullable Throwable failure) {
        if (failure != null) {
            failures.put(token, failure);
        }
    }

    private void judge(MemorySegment[] buffers) {
        for (int i = 0; i < DEPTH; i++) {
            assertThat(buffers[i].toArray(ValueLayout.JAVA_BYTE))
                    .isEqualTo(Arrays.copyOfRange(expected, i * CLUSTER, (i + 1) * CLUSTER));
        }
    }

    @Test
    void aQueueGoesOnWhileASpareCoreDecompressesAndKeepsWhatThereIsNoRoomForThere() throws Exception {
        Path path = image("zlib", DEPTH * CLUSTER);
        AtomicInteger elsewhere = new AtomicInteger();
        AtomicInteger most = new AtomicInteger();
        CountDownLatch[] gate = {new CountDownLatch(1)};
        Step before = (away, cluster) -> {
            if (away) {
                most.accumulateAndGet(elsewhere.incrementAndGet(), Math::max);
                pass(gate[0]);
                elsewhere.decrementAndGet();
            }
        };
        for (int round = 0; round < ROUNDS && most.get() == 0; round++) {
            gate[0] = new CountDownLatch(1);
            try (Disk disk = open(path, new Played(new SpareCores(1), before, NOTHING));
                    RequestQueue queue = disk.openRequestQueue(DEPTH)) {
                MemorySegment[] buffers = submitAll(queue);
                Map<Long, Throwable> failures = new HashMap<>();
                // All but the one that the spare core has and the one that waits for it; those end behind a closed
                // gate.
                int done = 0;
                while (done < DEPTH - 2) {
                    done += queue.await(1, (token, failure) -> note(failures, token, failure));
                }
                gate[0].countDown();
                awaitAll(queue, failures);
                assertThat(failures).isEmpty();
                judge(buffers);
            }
        }
        assertThat(most).as("at once on one spare core").hasValue(1);
    }

    @Test
    void clustersOfOneQueueAreDecompressedAtOnce() throws Exception {
        Path path = image("zstd", DEPTH * CLUSTER);
        AtomicInteger inside = new AtomicInteger();
        AtomicBoolean met = new AtomicBoolean();
        Step before = (away, cluster) -> {
            inside.incrementAndGet();
            long until = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(20);
            while (!met.get() && System.nanoTime() < until) {
                if (inside.get() > 1) {
                    met.set(true);
                }
                Thread.onSpinWait();
            }
        };
        Step after = (away, cluster) -> inside.decrementAndGet();
        for (int round = 0; round < ROUNDS && !met.get(); round++) {
            try (Disk disk = open(path, new Played(new SpareCores(2), before, after));
                    RequestQueue queue = disk.openRequestQueue(DEPTH)) {
                MemorySegment[] buffers = submitAll(queue);
                Map<Long, Throwable> failures = new HashMap<>();
                awaitAll(queue, failures);
                assertThat(failures).isEmpty();
                judge(buffers);
            }
        }
        assertThat(met).as("two clusters at once").isTrue();
    }

    @Test
    void whatFailsOnASpareCoreFailsTheRequestAsOnTheQueuesThread() throws Exception {
        Path path = image("zlib", DEPTH * CLUSTER);
        Map<Long, String> here = failures(path, new Played(new SpareCores(0), DecodingTest::fail, NOTHING));
        assertThat(here).hasSize(DEPTH);
        assertThat(here.get(0L)).contains("CorruptImageException").contains("c.qcow2");
        AtomicInteger elsewhere = new AtomicInteger();
        Step before = (away, cluster) -> {
            elsewhere.addAndGet(away ? 1 : 0);
            fail(away, cluster);
        };
        for (int round = 0; round < ROUNDS && elsewhere.get() < 20; round++) {
            assertThat(failures(path, new Played(new SpareCores(1), before, NOTHING)))
                    .isEqualTo(here);
        }
        assertThat(elsewhere.get()).isPositive();
    }

    private static void fail(boolean away, MemorySegment cluster) throws CorruptImageException {
        switch ((int) (cluster.address() / CLUSTER % 3)) {
            case 0 -> throw new CorruptImageException("compressed cluster (played)", -1, "no good");
            case 1 -> throw new IllegalStateException("played");
            default -> throw new AssertionError("played");
        }
    }

    /** What failed, with what is said of it; the buffers lie so that each cluster fails in the same way each time. */
    private Map<Long, String> failures(Path path, Decoder.Factory decoders) throws IOException {
        try (Disk disk = open(path, decoders);
                RequestQueue queue = disk.openRequestQueue(DEPTH)) {
            MemorySegment room = queue.allocate((DEPTH + 4L) * CLUSTER);
            long first = 3L * CLUSTER - room.address() % (3L * CLUSTER);
            for (int i = 0; i < DEPTH; i++) {
                queue.submit(
                        new Request.Read(i, (long) i * CLUSTER, room.asSlice(first + (long) i * CLUSTER, CLUSTER)));
            }
            Map<Long, Throwable> failures = new HashMap<>();
            awaitAll(queue, failures);
            Map<Long, String> said = new HashMap<>();
            failures.forEach((token, failure) -> said.put(token, failure.toString()));
            return said;
        }
    }

    @Test
    void closingWaitsForWhatASpareCoreHasInHand() throws Exception {
        Path path = image("zlib", DEPTH * CLUSTER);
        AtomicInteger touched = new AtomicInteger();
        for (int round = 0; round < ROUNDS && touched.get() == 0; round++) {
            CountDownLatch inside = new CountDownLatch(1);
            CountDownLatch closed = new CountDownLatch(1);
            Step before = (away, cluster) -> {
                if (away) {
                    inside.countDown();
                    // As long as it would take a close that did not wait.
                    assertThat(awaits(closed))
                            .as("closed with a cluster in hand")
                            .isFalse();
                    cluster.fill((byte) 1);
                    touched.incrementAndGet();
                }
            };
            try (Disk disk = open(path, new Played(new SpareCores(1), before, NOTHING))) {
                RequestQueue queue = disk.openRequestQueue(DEPTH);
                submitAll(queue);
                queue.poll((token, failure) -> assertThat(failure).isNull());
                queue.close();
                closed.countDown();
                assertThat(touched.get() > 0).isEqualTo(inside.getCount() == 0);
            }
        }
        assertThat(touched.get()).isPositive();
    }

    private static boolean awaits(CountDownLatch latch) {
        try {
            return latch.await(200, TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    @ParameterizedTest
    @CsvSource({"zlib,1", "zstd,1", "zlib,3", "zstd,3"})
    void randomReadsGiveWhatQemuCompressed(String type, int cores) throws Exception {
        long seed = Long.getLong("cowherd.seed", System.nanoTime());
        Path path = image(type, 64 * CLUSTER);
        Set<Thread> threads = ConcurrentHashMap.newKeySet();
        Step before = (away, cluster) -> threads.add(Thread.currentThread());
        Random random = new Random(seed);
        int depth = 32;
        try (Arena mine = Arena.ofConfined();
                Disk disk = open(path, new Played(new SpareCores(cores), before, NOTHING));
                RequestQueue queue = disk.openRequestQueue(depth)) {
            // Memory that no other thread may touch is lent as well.
            MemorySegment room = cores > 1 ? mine.allocate(depth * 3L * CLUSTER) : queue.allocate(depth * 3L * CLUSTER);
            MemorySegment[] parts = new MemorySegment[depth];
            long[] at = new long[depth];
            int[] left = {1500};
            for (int i = 0; i < depth; i++) {
                submit(queue, i, random, room, parts, at);
            }
            while (queue.inFlight() > 0) {
                queue.await(1, (token, failure) -> {
                    int i = (int) token;
                    assertThat(failure).as("seed " + seed).isNull();
                    assertThat(parts[i].mismatch(MemorySegment.ofArray(expected).asSlice(at[i], parts[i].byteSize())))
                            .as("seed " + seed + ", at " + at[i])
                            .isEqualTo(-1);
                    if (left[0]-- > 0) {
                        submit(queue, i, random, room, parts, at);
                    }
                });
            }
        }
        assertThat(threads).as("threads that decompressed").hasSizeBetween(2, 1 + cores);
    }

    private void submit(
            RequestQueue queue, int i, Random random, MemorySegment room, MemorySegment[] parts, long[] at) {
        int length = random.nextBoolean() ? CLUSTER : 512 * (1 + random.nextInt(3 * CLUSTER / 512));
        int unit = random.nextBoolean() ? CLUSTER : 512;
        at[i] = (long) unit * random.nextInt((expected.length - length) / unit + 1);
        parts[i] = room.asSlice(i * 3L * CLUSTER, length);
        parts[i].fill((byte) 0x55);
        queue.submit(new Request.Read(i, at[i], parts[i]));
    }
}
