package dev.cowherd.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowherd.storage.fiber.FiberLoop;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Many requests in flight on one thread's queue: each completes once, with the right bytes, whichever engine moves them. */
@Timeout(value = 240, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class RequestQueueTest {
    private static final int DISK_BYTES = 3 << 20;
    private static final int DEPTH = 24;

    @TempDir
    Path folder;

    @ParameterizedTest
    @CsvSource({
        "SYNC,3,16,4,false,none,false",
        "RING,3,16,4,false,none,false",
        "RING,2,16,4,false,none,false",
        "RING,3,9,4,false,none,false",
        "RING,3,12,6,false,raw,false",
        "RING,3,16,4,true,none,false",
        "RING,3,14,1,true,raw,false",
        "RING,3,16,4,true,compressed,false",
        "RING,3,12,4,false,compressed,false",
        "RING,3,16,3,false,short,false",
        "RING,3,16,4,true,none,true",
        "RING,3,21,4,false,raw,false",
    })
    void whatManyRequestsWriteIsReadHereAndByQemu(
            Engine engine,
            int version,
            int clusterBits,
            int refcountOrder,
            boolean extended,
            String below,
            boolean dataFile)
            throws Exception {
        Path top = folder.resolve("top.qcow2");
        Qemu qemu = new Qemu(folder);
        byte[] expected = new byte[DISK_BYTES];
        CreateOptions.Builder options = CreateOptions.ofSize(DISK_BYTES)
                .version(version)
                .clusterBits(clusterBits)
                .refcountOrder(refcountOrder)
                .extendedL2(extended);
        switch (below) {
            case "raw", "short" -> {
                byte[] bytes = qemu.random("base.raw", below.equals("raw") ? DISK_BYTES : (1 << 20) + 1536, 1);
                System.arraycopy(bytes, 0, expected, 0, bytes.length);
                options.backing("base.raw", "raw");
            }
            case "compressed" -> {
                byte[] bytes = qemu.compressible("base.raw", DISK_BYTES, 1);
                qemu.img("base.qcow2", "convert", "-c", "-O", "qcow2", "base.raw", "base.qcow2");
                System.arraycopy(bytes, 0, expected, 0, bytes.length);
                options.backing("base.qcow2", "qcow2");
            }
            default -> {}
        }
        if (dataFile) {
            options.dataFile("data.raw", false);
        }
        ImageCreator.create(top, options.build());
        try (Disk disk = Disk.open(
                        top,
                        DiskOptions.defaults()
                                .withWritable(true)
                                .withEngine(engine)
                                .withSliceCacheBytes(20 << 10));
                RequestQueue queue = disk.openRequestQueue(DEPTH)) {
            assertThat(queue.engine()).isEqualTo(engine);
            new Play(queue, expected, new Random(clusterBits)).run(1500);
        }
        qemu.img(top.toString(), "check", top.toString());
        assertThat(Arrays.mismatch(qemu.raw(top.getFileName().toString()), expected))
                .as("first difference to what qemu-img reads")
                .isEqualTo(-1);
    }

    @ParameterizedTest
    @EnumSource(names = {"SYNC", "RING"})
    void aFailedRequestCompletesWithWhatFailed(Engine engine) throws Exception {
        try (Disk disk = disk(engine);
                RequestQueue queue = disk.openRequestQueue(2)) {
            MemorySegment buffer = Arena.ofAuto().allocate(512);
            queue.submit(new Request.Read(7, DISK_BYTES, buffer));
            queue.submit(new Request.Read(8, 0, buffer));
            assertThatThrownBy(() -> queue.submit(new Request.Flush(9)))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("poll first");
            Map<Long, Class<?>> seen = new HashMap<>();
            queue.await(2, (token, failure) -> seen.put(token, failure == null ? Void.class : failure.getClass()));
            assertThat(seen).containsOnly(Map.entry(7L, IndexOutOfBoundsException.class), Map.entry(8L, Void.class));
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"SYNC", "RING"})
    void aClosedDiskSaysThatItIsClosed(Engine engine) throws Exception {
        Disk disk = disk(engine);
        disk.close();
        assertThatThrownBy(() -> disk.openRequestQueue(2))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("closed");
    }

    @ParameterizedTest
    @EnumSource(names = {"SYNC", "RING"})
    void anotherThreadIsRefused(Engine engine) throws Exception {
        try (Disk disk = disk(engine);
                RequestQueue queue = disk.openRequestQueue(2)) {
            AtomicReference<@Nullable Throwable> thrown = new AtomicReference<>();
            Thread.ofPlatform()
                    .start(() -> {
                        try {
                            queue.poll((token, failure) -> {});
                        } catch (IOException | RuntimeException e) {
                            thrown.set(e);
                        }
                    })
                    .join();
            assertThat(thrown.get()).isInstanceOf(WrongThreadException.class);
        }
    }

    @Test
    void closingTheDiskCompletesWhatItsOwnThreadHasInFlight() throws Exception {
        Disk disk = disk(Engine.RING);
        RequestQueue queue = disk.openRequestQueue(8);
        MemorySegment buffer = Arena.ofAuto().allocate(4096).fill((byte) 5);
        for (int i = 0; i < 8; i++) {
            queue.submit(new Request.Write(i, i * 65_536L, buffer));
        }
        disk.close();
        try (Disk again = disk(Engine.SYNC);
                DiskQueue reader = again.openQueue()) {
            MemorySegment read = Arena.ofAuto().allocate(4096);
            for (int i = 0; i < 8; i++) {
                reader.read(i * 65_536L, read.fill((byte) 0));
                assertThat(read.mismatch(buffer)).isEqualTo(-1);
            }
        }
    }

    /** Half of the writes need new clusters, and all of them are in flight when the queue is closed. */
    @ParameterizedTest
    @EnumSource(names = {"SYNC", "RING"})
    void closingAQueueUnderLoadLetsAllOfItLand(Engine engine) throws Exception {
        try (Disk disk = disk(engine)) {
            for (int round = 0; round < 50; round++) {
                MemorySegment buffer = Arena.ofAuto().allocate(4096).fill((byte) (round + 1));
                try (RequestQueue queue = disk.openRequestQueue(32)) {
                    for (int i = 0; i < 32; i++) {
                        queue.submit(new Request.Write(i, (i * 65_536L + round * 4096L) % DISK_BYTES, buffer));
                    }
                }
                try (DiskQueue reader = disk.openQueue()) {
                    MemorySegment read = Arena.ofAuto().allocate(4096);
                    for (int i = 0; i < 32; i++) {
                        reader.read((i * 65_536L + round * 4096L) % DISK_BYTES, read.fill((byte) 0));
                        assertThat(read.mismatch(buffer)).isEqualTo(-1);
                    }
                }
            }
        }
    }

    /** Each request is done or refused, none is lost, and what was done is there when the disk is opened again. */
    @ParameterizedTest
    @EnumSource(names = {"SYNC", "RING"})
    @Timeout(value = 120, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    void closingTheDiskByAnotherThreadUnderLoadLosesNothingThatWasDone(Engine engine) throws Exception {
        for (int round = 0; round < 20; round++) {
            Disk disk = disk(engine);
            RequestQueue queue = disk.openRequestQueue(16);
            byte[] expected = new byte[DISK_BYTES / 4096];
            byte value = (byte) (round + 1);
            MemorySegment buffer = Arena.ofAuto().allocate(4096).fill(value);
            CountDownLatch underLoad = new CountDownLatch(1);
            Thread other = Thread.ofPlatform().start(() -> {
                try {
                    underLoad.await();
                    disk.close();
                } catch (IOException | InterruptedException e) {
                    throw new AssertionError(e);
                }
            });
            int[] refused = new int[1];
            RequestQueue.Handler handler = (token, failure) -> {
                if (failure == null) {
                    expected[(int) token] = value;
                } else {
                    assertThat(failure)
                            .isInstanceOf(IllegalStateException.class)
                            .hasMessageContaining("closed");
                    refused[0]++;
                }
            };
            Random random = new Random(round);
            for (int i = 0; refused[0] == 0; i++) {
                if (queue.inFlight() == 16) {
                    queue.await(1 + random.nextInt(8), handler);
                }
                long block = random.nextInt(expected.length);
                queue.submit(new Request.Write(block, block * 4096, buffer));
                if (i == 40) {
                    underLoad.countDown();
                }
            }
            queue.await(queue.inFlight(), handler);
            assertThat(queue.inFlight()).isZero();
            queue.close();
            other.join();
            try (Disk again = disk(Engine.SYNC);
                    DiskQueue reader = again.openQueue()) {
                MemorySegment read = Arena.ofAuto().allocate(4096);
                for (int block = 0; block < expected.length; block++) {
                    if (expected[block] == value) {
                        reader.read(block * 4096L, read);
                        assertThat(read.mismatch(buffer)).as("block " + block).isEqualTo(-1);
                    }
                }
            }
        }
    }

    @Test
    void resizingByAnotherThreadWaitsForTheRequestsInFlight() throws Exception {
        try (Disk disk = disk(Engine.RING);
                RequestQueue queue = disk.openRequestQueue(8)) {
            CountDownLatch resized = new CountDownLatch(1);
            MemorySegment buffer = Arena.ofAuto().allocate(4096).fill((byte) 5);
            for (int i = 0; i < 8; i++) {
                queue.submit(new Request.Write(i, i * 65_536L, buffer));
            }
            Thread other = Thread.ofPlatform().start(() -> {
                try {
                    disk.resize(2 * DISK_BYTES);
                    resized.countDown();
                } catch (IOException e) {
                    throw new AssertionError(e);
                }
            });
            int done = 0;
            long offset = 0;
            while (resized.getCount() > 0 || queue.inFlight() > 0) {
                if (resized.getCount() > 0 && queue.inFlight() < 8) {
                    offset = (offset + 65_536) % DISK_BYTES;
                    queue.submit(new Request.Write(100, offset, buffer));
                }
                done += queue.poll((token, failure) -> assertThat(failure).isNull());
            }
            other.join();
            assertThat(done).isGreaterThanOrEqualTo(8);
            assertThat(disk.sizeBytes()).isEqualTo(2 * DISK_BYTES);
        }
    }

    @Test
    @Timeout(value = 60, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    void whoeverDrainsTheDiskDoesNotWaitForAThreadThatWaitsForIt() throws Exception {
        try (Disk disk = disk(Engine.RING);
                RequestQueue queue = disk.openRequestQueue(8)) {
            MemorySegment buffer = Arena.ofAuto().allocate(4096).fill((byte) 5);
            // In flight until this thread polls.
            queue.submit(new Request.Write(1, 0, buffer));
            Thread other = Thread.ofPlatform().start(() -> {
                try {
                    disk.resize(2 * DISK_BYTES);
                } catch (IOException e) {
                    throw new AssertionError(e);
                }
            });
            while (other.getState() != Thread.State.WAITING) {
                Thread.onSpinWait();
            }
            queue.submit(new Request.Write(2, 65_536, buffer));
            try (DiskQueue another = disk.openQueue()) {
                other.join();
                another.read(0, buffer);
            }
            while (queue.inFlight() > 0) {
                queue.await(1, (token, failure) -> assertThat(failure).isNull());
            }
        }
    }

    @Test
    void aQueueOnTheCallersLoopCompletesInItsTurnsAndLeavesItsOtherWorkAlone() throws Exception {
        try (Disk disk = disk(Engine.RING);
                FiberLoop loop = FiberLoop.open(8)) {
            List<Runnable> wakes = new ArrayList<>();
            List<Long> seen = new ArrayList<>();
            MemorySegment buffer = Arena.ofAuto().allocate(4096).fill((byte) 5);
            try (RequestQueue queue = disk.openRequestQueue(4, loop)) {
                loop.begin(() -> {
                    queue.submit(new Request.Write(1, 65_536, buffer));
                    queue.submit(new Request.Work(2, lane -> lane.write(0, buffer)));
                    FiberLoop.leaveUntil(wakes::add);
                });
                while (seen.size() < 2) {
                    loop.turn(1);
                    assertThat(queue.take((token, failure) -> {
                                assertThat(failure).isNull();
                                seen.add(token);
                            }))
                            .isLessThanOrEqualTo(2);
                }
                queue.submit(new Request.Write(3, 131_072, buffer));
            }
            assertThat(seen).containsExactlyInAnyOrder(1L, 2L);
            assertThat(loop.busy()).as("the fiber that waits still does").isEqualTo(1);
            wakes.getFirst().run();
            loop.turn(1);
            assertThat(loop.busy()).isZero();
            MemorySegment read = Arena.ofAuto().allocate(4096);
            try (DiskQueue reader = disk.openQueue()) {
                for (long offset : new long[] {0, 65_536, 131_072}) {
                    reader.read(offset, read.fill((byte) 0));
                    assertThat(read.mismatch(buffer)).isEqualTo(-1);
                }
            }
        }
    }

    private Disk disk(Engine engine) throws IOException {
        Path image = folder.resolve("disk.qcow2");
        if (!Files.exists(image)) {
            ImageCreator.create(image, CreateOptions.ofSize(DISK_BYTES).build());
        }
        return Disk.open(image, DiskOptions.defaults().withWritable(true).withEngine(engine));
    }

    /** Requests at random, no two in flight on the same bytes, so that each read has one right answer. */
    private static final class Play {
        private final RequestQueue queue;
        private final byte[] expected;
        private final Random random;
        private final Map<Long, InFlight> inFlight = new HashMap<>();
        private final Arena arena = Arena.ofAuto();
        private final List<InFlight> rewrites = new ArrayList<>();
        private long tokens;

        private record InFlight(
                Request request,
                int at,
                int length,
                @Nullable MemorySegment after) {}

        Play(RequestQueue queue, byte[] expected, Random random) {
            this.queue = queue;
            this.expected = expected;
            this.random = random;
        }

        void run(int requests) throws IOException {
            for (int i = 0; i < requests; i++) {
                if (queue.inFlight() == DEPTH || random.nextInt(8) == 0) {
                    queue.await(1 + random.nextInt(4), this::completed);
                }
                int unit = random.nextBoolean() ? 512 : 1;
                int at = random.nextInt(DISK_BYTES / unit) * unit;
                int most = random.nextInt(6) == 0 ? 300 << 10 : 12 << 10;
                int length = Math.min(DISK_BYTES - at, (1 + random.nextInt(most / unit)) * unit);
                rewrite();
                if (queue.inFlight() < DEPTH && isFree(at, length)) {
                    submit(at, length);
                }
            }
            while (queue.inFlight() > 0 || !rewrites.isEmpty()) {
                queue.await(queue.inFlight(), this::completed);
                rewrite();
            }
            assertThat(inFlight).isEmpty();
            queue.submit(new Request.Flush(-1));
            queue.await(1, (token, failure) -> assertThat(failure).isNull());
        }

        private void submit(int at, int length) throws IOException {
            long token = ++tokens;
            MemorySegment buffer = arena.allocate(length, 8);
            switch (random.nextInt(10)) {
                case 0, 1, 2, 3, 4 -> {
                    byte[] bytes = new byte[length];
                    random.nextBytes(bytes);
                    buffer.copyFrom(MemorySegment.ofArray(bytes));
                    begin(new InFlight(new Request.Write(token, at, buffer), at, length, buffer));
                }
                case 5 -> {
                    ZeroMode mode = random.nextBoolean() ? ZeroMode.MAY_UNMAP : ZeroMode.KEEP_ALLOCATED;
                    Request zeroes = new Request.WriteZeroes(token, at, length, mode);
                    begin(new InFlight(zeroes, at, length, buffer));
                }
                case 6 -> begin(new InFlight(new Request.Discard(token, at, length), at, length, null));
                case 7 -> begin(new InFlight(new Request.Flush(token), at, 0, buffer));
                default -> begin(new InFlight(new Request.Read(token, at, buffer), at, length, null));
            }
        }

        /** A discarded range stays taken until it has been written again. */
        private void rewrite() throws IOException {
            while (!rewrites.isEmpty() && queue.inFlight() < DEPTH) {
                InFlight discard = rewrites.removeLast();
                byte[] bytes = new byte[discard.length];
                random.nextBytes(bytes);
                MemorySegment buffer = arena.allocate(discard.length, 8);
                buffer.copyFrom(MemorySegment.ofArray(bytes));
                Request write = new Request.Write(++tokens, discard.at, buffer);
                begin(new InFlight(write, discard.at, discard.length, buffer));
            }
        }

        private boolean isFree(int at, int length) {
            return Stream.concat(inFlight.values().stream(), rewrites.stream())
                    .noneMatch(one -> at < one.at + one.length && one.at < at + length);
        }

        private void begin(InFlight one) throws IOException {
            inFlight.put(one.request.token(), one);
            queue.submit(one.request);
        }

        private void completed(long token, @Nullable Throwable failure) {
            assertThat(failure).as("token " + token).isNull();
            InFlight one = inFlight.remove(token);
            if (one == null) {
                throw new AssertionError("token " + token + " completed twice, or was never submitted");
            }
            if (one.after != null) {
                MemorySegment.copy(one.after, ValueLayout.JAVA_BYTE, 0, expected, one.at, one.length);
            } else if (one.request instanceof Request.Read read) {
                byte[] now = read.destination().toArray(ValueLayout.JAVA_BYTE);
                assertThat(Arrays.mismatch(now, 0, one.length, expected, one.at, one.at + one.length))
                        .as("read at " + one.at + "+" + one.length)
                        .isEqualTo(-1);
            } else {
                // What a discard leaves of a partial cluster is not for this test: the bytes are written anew.
                rewrites.add(one);
            }
        }
    }
}
