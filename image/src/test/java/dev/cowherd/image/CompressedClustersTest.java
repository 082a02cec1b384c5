package dev.cowherd.image;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.format.CorruptImageException;
import dev.cowherd.storage.Storage;
import dev.cowherd.storage.fiber.FiberLoop;
import dev.cowherd.storage.filter.InterceptingStorage;
import dev.cowherd.storage.filter.Operation;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The requests that a queue has in flight share its compressed clusters: each is decompressed once, and none is seen half done. */
@Timeout(value = 120, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class CompressedClustersTest {
    private static final int DEPTH = 32;
    private static final int STEP = 4096;

    @TempDir
    Path folder;

    private byte[] expected = new byte[0];

    private Path image(String clusterSize, int bytes) throws Exception {
        Qemu qemu = new Qemu(folder);
        expected = qemu.compressible("c.raw", bytes, 5);
        return qemu.compressed("c.raw", "cluster_size=" + clusterSize);
    }

    private static Disk open(Path path, Decoder.Factory decoders) throws IOException {
        DiskOptions options = DiskOptions.defaults().withEngine(Engine.RING).withFibers();
        return new Disk(ChainOpener.open(path, options), options, decoders);
    }

    /** Puts something before each decompression. */
    private static Decoder.Factory after(Step step) {
        return type -> {
            Decoder real = Decoder.Factory.CODECS.decoderFor(type);
            return new Decoder() {
                @Override
                public void decode(MemorySegment compressed, MemorySegment cluster) throws CorruptImageException {
                    step.take(cluster);
                    real.decode(compressed, cluster);
                }

                @Override
                public void close() {
                    real.close();
                }
            };
        };
    }

    private interface Step {
        void take(MemorySegment cluster) throws CorruptImageException;
    }

    /** Reads in order, as many requests in flight as the queue takes; what failed, by offset. */
    private Map<Long, Throwable> readAll(RequestQueue queue, long from, int step) throws IOException {
        Map<Long, Throwable> failures = new TreeMap<>();
        long[] next = {from};
        long[] at = new long[DEPTH];
        MemorySegment[] buffers = new MemorySegment[DEPTH];
        RequestQueue.Handler handler = (token, failure) -> {
            int slot = (int) token;
            judge(failures, at[slot], buffers[slot], failure);
            submit(queue, slot, next, at, buffers[slot]);
        };
        for (int slot = 0; slot < DEPTH; slot++) {
            buffers[slot] = queue.allocate(step);
            submit(queue, slot, next, at, buffers[slot]);
        }
        while (queue.inFlight() > 0) {
            queue.await(1, handler);
        }
        return failures;
    }

    private void submit(RequestQueue queue, int slot, long[] next, long[] at, MemorySegment buffer) {
        if (next[0] < expected.length) {
            at[slot] = next[0];
            next[0] += buffer.byteSize();
            queue.submit(new Request.Read(slot, at[slot], buffer));
        }
    }

    private void judge(Map<Long, Throwable> failures, long at, MemorySegment buffer, @Nullable Throwable failure) {
        if (failure != null) {
            failures.put(at, failure);
            return;
        }
        byte[] wanted = Arrays.copyOfRange(expected, (int) at, (int) (at + buffer.byteSize()));
        assertThat(buffer.toArray(ValueLayout.JAVA_BYTE)).as("at " + at).isEqualTo(wanted);
    }

    @Test
    void smallReadsInFlightDecompressEachClusterOnce() throws Exception {
        Path path = image("64k", 4 << 20);
        AtomicInteger decoded = new AtomicInteger();
        try (Disk disk = open(path, after(cluster -> decoded.incrementAndGet()));
                RequestQueue queue = disk.openRequestQueue(DEPTH)) {
            assertThat(readAll(queue, 0, STEP)).isEmpty();
            assertThat(decoded).hasValue(expected.length >> 16);
        }
    }

    @Test
    void whatFailedForOneRequestIsTriedByThoseWhoWaited() throws Exception {
        Path path = image("64k", 64 << 10);
        AtomicInteger tries = new AtomicInteger();
        Step first = cluster -> {
            cluster.fill((byte) 0x77);
            if (tries.incrementAndGet() <= 3) {
                throw new CorruptImageException("compressed cluster", -1, "played, try " + tries);
            }
        };
        try (Disk disk = open(path, after(first));
                RequestQueue queue = disk.openRequestQueue(DEPTH)) {
            Map<Long, Throwable> failures = readAll(queue, 0, STEP);
            assertThat(failures).hasSize(3);
            assertThat(failures.values())
                    .allSatisfy(failure -> assertThat(failure)
                            .isInstanceOf(CorruptImageException.class)
                            .hasMessageContaining("c.qcow2")
                            .hasMessageContaining("played, try"));
            assertThat(tries).hasValue(4);
        }
    }

    @Test
    void moreRequestsThanThereIsMemoryForWaitForIt() throws Exception {
        Path path = image("2M", 24 << 20);
        AtomicInteger decoders = new AtomicInteger();
        Decoder.Factory counting = type -> {
            decoders.incrementAndGet();
            return Decoder.Factory.CODECS.decoderFor(type);
        };
        try (Disk disk = open(path, counting);
                RequestQueue queue = disk.openRequestQueue(DEPTH)) {
            Random random = new Random(1);
            MemorySegment buffers = Arena.ofAuto().allocate((long) DEPTH * STEP);
            for (int round = 0; round < 10; round++) {
                Map<Long, Throwable> failures = new TreeMap<>();
                long[] at = new long[DEPTH];
                for (int slot = 0; slot < DEPTH; slot++) {
                    at[slot] = (long) STEP * random.nextInt(expected.length / STEP);
                    queue.submit(new Request.Read(slot, at[slot], buffers.asSlice((long) slot * STEP, STEP)));
                }
                while (queue.inFlight() > 0) {
                    queue.await(
                            1,
                            (token, failure) ->
                                    judge(failures, at[(int) token], buffers.asSlice(token * STEP, STEP), failure));
                }
                assertThat(failures).isEmpty();
            }
            // 16 MiB of input, 4 MiB each.
            assertThat(decoders.get()).isBetween(2, 4);
        }
    }

    /** Holds the reads of the file that come while it is told to. */
    private static final class Holding extends InterceptingStorage {
        private final AtomicBoolean holds;
        private final List<Runnable> held;

        Holding(Storage next, AtomicBoolean holds, List<Runnable> held) {
            super(next);
            this.holds = holds;
            this.held = held;
        }

        @Override
        protected void begin(dev.cowherd.storage.filter.Request request) {
            if (holds.get() && request.operation() == Operation.READ) {
                FiberLoop.leaveUntil(held::add);
            }
        }

        @Override
        protected Holding around(Storage reopened) {
            return new Holding(reopened, holds, held);
        }
    }

    @Test
    void aLongReadLeavesRoomForTheOthers() throws Exception {
        Path path = image("4k", 64 * STEP);
        AtomicBoolean holds = new AtomicBoolean();
        List<Runnable> held = new ArrayList<>();
        DiskOptions options = DiskOptions.defaults()
                .withEngine(Engine.RING)
                .withStorageFilter(storage -> new Holding(storage, holds, held));
        try (Disk disk = Disk.open(path, options);
                RequestQueue queue = disk.openRequestQueue(2)) {
            MemorySegment all = queue.allocate(expected.length - STEP);
            MemorySegment last = queue.allocate(STEP / 2);
            List<Long> ended = new ArrayList<>();
            RequestQueue.Handler handler = (token, failure) -> {
                assertThat(failure).isNull();
                ended.add(token);
            };
            queue.submit(new Request.Read(0, 0, all));
            queue.await(1, handler);
            holds.set(true);
            queue.submit(new Request.Read(1, 0, all));
            queue.poll(handler);
            holds.set(false);
            // Each branch's, and the request's own.
            assertThat(held).hasSize(Branches.MOST_OF_A_REQUEST + 1);
            queue.submit(new Request.Read(2, expected.length - STEP, last));
            queue.await(1, handler);
            assertThat(ended).containsExactly(0L, 2L);
            held.forEach(Runnable::run);
            queue.await(1, handler);
            assertThat(ended).containsExactly(0L, 2L, 1L);
            assertThat(all.toArray(ValueLayout.JAVA_BYTE)).isEqualTo(Arrays.copyOf(expected, expected.length - STEP));
        }
    }
}
