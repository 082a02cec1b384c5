package dev.cowherd.image;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.format.CorruptImageException;
import dev.cowherd.storage.Storage;
import dev.cowherd.storage.filter.GateStorage;
import dev.cowherd.storage.filter.Operation;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.BrokenBarrierException;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Proves that queues work at once: their reads, their misses and their decompression meet where only several can pass together. */
@EachEngine
@Timeout(value = 120, unit = TimeUnit.SECONDS)
class ParallelQueuesTest {
    private static final int QUEUES = 4;
    private static final int SLICE_BYTES = 4096;
    private static final long SLICE_GUEST_BYTES = 32 << 20;
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    @TempDir
    Path folder;

    private final Engine engine;

    ParallelQueuesTest(Engine engine) {
        this.engine = engine;
    }

    /** What each queue does; the number is the queue's. */
    private interface Work {
        void run(DiskQueue queue, int number) throws IOException;
    }

    /** With the ring engine each on a fiber of a thread of its own. */
    private void onQueues(Disk disk, int count, Work work) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(count);
        try {
            List<Future<?>> futures = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                int number = i;
                futures.add(pool.submit(() -> {
                    try (Client client = Client.of(engine, disk)) {
                        client.perform(new Request.Work(0, queue -> work.run(queue, number)));
                    }
                    return null;
                }));
            }
            for (Future<?> future : futures) {
                future.get();
            }
        } finally {
            pool.shutdownNow();
        }
    }

    private static DiskOptions gated(Predicate<dev.cowherd.storage.filter.Request> held) {
        UnaryOperator<Storage> gate = storage -> new GateStorage(
                storage, request -> request.operation() == Operation.READ && held.test(request), QUEUES, PATIENCE);
        return DiskOptions.defaults().withStorageFilter(gate);
    }

    private Path sparse() throws Exception {
        Qemu qemu = new Qemu(folder);
        Path path = qemu.img("wide.qcow2", "create", "-f", "qcow2", "wide.qcow2", "256M");
        for (int i = 0; i < QUEUES; i++) {
            qemu.io("wide.qcow2", "write -P " + (i + 1) + " " + i * SLICE_GUEST_BYTES + " 64k");
        }
        return path;
    }

    @Test
    void readsOfGuestBytesAreOnTheHostAtOnce() throws Exception {
        Path path = sparse();
        try (Disk disk = Disk.open(path, gated(request -> request.length() == 1024))) {
            onQueues(disk, QUEUES, (queue, number) -> {
                ByteBuffer bytes = ByteBuffer.allocateDirect(1024);
                queue.read(number * SLICE_GUEST_BYTES, bytes);
                assertThat(bytes.get(1023)).isEqualTo((byte) (number + 1));
            });
        }
    }

    @Test
    void missesOfDifferentSlicesAreOnTheHostAtOnce() throws Exception {
        Path path = sparse();
        try (Disk disk = Disk.open(path, gated(request -> request.length() == SLICE_BYTES))) {
            onQueues(disk, QUEUES, (queue, number) -> {
                ByteBuffer bytes = ByteBuffer.allocateDirect(512);
                queue.read(number * SLICE_GUEST_BYTES, bytes);
                assertThat(bytes.get(0)).isEqualTo((byte) (number + 1));
            });
        }
    }

    /** Decompresses when several queues are in the middle of it. */
    private static Decoder.Factory meeting(CyclicBarrier barrier) {
        return type -> {
            Decoder real = Decoder.Factory.CODECS.decoderFor(type);
            return new Decoder() {
                @Override
                public void decode(MemorySegment compressed, MemorySegment cluster) throws CorruptImageException {
                    try {
                        barrier.await(PATIENCE.toSeconds(), TimeUnit.SECONDS);
                    } catch (InterruptedException | BrokenBarrierException | TimeoutException e) {
                        throw new IllegalStateException("alone in the decoder", e);
                    }
                    real.decode(compressed, cluster);
                }

                @Override
                public void close() {
                    real.close();
                }
            };
        };
    }

    @Test
    void queuesDecompressAtOnce() throws Exception {
        Qemu qemu = new Qemu(folder);
        byte[] expected = qemu.compressible("c.raw", 1 << 20, 3);
        Path path = qemu.img("c.qcow2", "convert", "-c", "-f", "raw", "-O", "qcow2", "c.raw", "c.qcow2");
        CyclicBarrier barrier = new CyclicBarrier(QUEUES);
        try (Disk disk =
                new Disk(ChainOpener.open(path, DiskOptions.defaults()), DiskOptions.defaults(), meeting(barrier))) {
            // All in one cluster: even the same one is no reason to wait for another queue.
            onQueues(disk, QUEUES, (queue, number) -> {
                byte[] bytes = new byte[4096];
                queue.read(4096L * number, ByteBuffer.wrap(bytes));
                assertThat(bytes).isEqualTo(Arrays.copyOfRange(expected, 4096 * number, 4096 * (number + 1)));
            });
        }
    }

    @Test
    void aCompressedClusterReadInSmallStepsIsDecompressedOnce() throws Exception {
        Qemu qemu = new Qemu(folder);
        byte[] expected = qemu.compressible("c.raw", 1 << 20, 4);
        Path path = qemu.img("c.qcow2", "convert", "-c", "-f", "raw", "-O", "qcow2", "c.raw", "c.qcow2");
        int[] decoded = {0};
        Decoder.Factory counting = type -> {
            Decoder real = Decoder.Factory.CODECS.decoderFor(type);
            return new Decoder() {
                @Override
                public void decode(MemorySegment compressed, MemorySegment cluster) throws CorruptImageException {
                    decoded[0]++;
                    real.decode(compressed, cluster);
                }

                @Override
                public void close() {
                    real.close();
                }
            };
        };
        try (Disk disk = new Disk(ChainOpener.open(path, DiskOptions.defaults()), DiskOptions.defaults(), counting);
                Client queue = Client.of(engine, disk)) {
            byte[] bytes = new byte[expected.length];
            for (int at = 0; at < bytes.length; at += 4096) {
                queue.read(at, ByteBuffer.wrap(bytes, at, 4096));
            }
            assertThat(bytes).isEqualTo(expected);
            assertThat(decoded[0]).isEqualTo(expected.length >> 16);
        }
    }

    @Test
    void manyQueuesUnderATinyCacheReadWhatQemuReads() throws Exception {
        long seed = Long.getLong("cowherd.seed", System.nanoTime());
        Qemu qemu = new Qemu(folder);
        qemu.random("r.raw", 3 << 20, seed);
        qemu.img("base.qcow2", "convert", "-f", "raw", "-O", "qcow2", "-o", "cluster_size=512", "r.raw", "base.qcow2");
        qemu.img(
                "top.qcow2",
                "create",
                "-f",
                "qcow2",
                "-o",
                "cluster_size=1k",
                "-b",
                "base.qcow2",
                "-F",
                "qcow2",
                "top.qcow2",
                "4M");
        Random writes = new Random(seed);
        String[] commands = new String[40];
        for (int i = 0; i < commands.length; i++) {
            commands[i] = "write " + (i % 4 == 0 ? "-z" : "-P " + i) + " " + writes.nextInt(4000) + "k "
                    + (1 + writes.nextInt(90)) + "k";
        }
        qemu.io("top.qcow2", commands);
        byte[] expected = qemu.raw("top.qcow2");
        DiskOptions tiny = DiskOptions.defaults().withSliceCacheBytes(2500);
        try (Disk disk = Disk.open(qemu.path("top.qcow2"), tiny)) {
            onQueues(disk, 8, (queue, number) -> {
                Random random = new Random(seed + number);
                try (Arena arena = Arena.ofConfined()) {
                    MemorySegment memory = arena.allocate(20_000);
                    for (int i = 0; i < 1500; i++) {
                        int length = 1 + random.nextInt(20_000);
                        int offset = random.nextInt(expected.length - length);
                        queue.read(offset, memory.asSlice(0, length));
                        assertThat(memory.asSlice(0, length)
                                        .mismatch(
                                                MemorySegment.ofArray(expected).asSlice(offset, length)))
                                .as("seed %d, %d bytes at %d", seed, length, offset)
                                .isEqualTo(-1);
                    }
                }
            });
        }
    }
}
