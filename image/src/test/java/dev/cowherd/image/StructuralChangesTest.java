package dev.cowherd.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cowherd.format.Snapshot;
import dev.cowherd.metadata.Waits;
import dev.cowherd.storage.Storage;
import dev.cowherd.storage.filter.InterceptingStorage;
import dev.cowherd.storage.filter.Operation;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Snapshots and sizes change between writes; the disk, every snapshot and qemu-img agree on what is where. */
@EachEngine
class StructuralChangesTest {
    @TempDir
    Path folder;

    private final Engine engine;

    StructuralChangesTest(Engine engine) {
        this.engine = engine;
    }

    @ParameterizedTest
    @CsvSource({
        "3,16,4,false,none",
        "3,9,4,false,raw",
        "3,12,1,false,none",
        "3,16,4,true,raw",
        "2,12,4,false,none",
        "3,14,6,true,short",
        "3,9,0,false,none",
    })
    void everySnapshotKeepsWhatItWasTakenOf(
            int version, int clusterBits, int refcountOrder, boolean extended, String below) throws Exception {
        for (long seed = 1; seed <= 2; seed++) {
            run(seed, version, clusterBits, refcountOrder, extended, below);
        }
    }

    private void run(long seed, int version, int clusterBits, int refcountOrder, boolean extended, String below)
            throws Exception {
        Qemu qemu = new Qemu(folder);
        byte[] expected = new byte[1 << 20];
        Path top = folder.resolve("s" + seed + ".qcow2");
        CreateOptions.Builder options = CreateOptions.ofSize(expected.length)
                .version(version)
                .clusterBits(clusterBits)
                .refcountOrder(refcountOrder)
                .extendedL2(extended);
        if (!below.equals("none")) {
            byte[] base = qemu.random("base.raw", below.equals("raw") ? 3 << 20 : 300_000, seed);
            System.arraycopy(base, 0, expected, 0, Math.min(base.length, expected.length));
            options.backing("base.raw", "raw");
        }
        ImageCreator.create(top, options.build());
        Random random = new Random(seed);
        Map<String, byte[]> taken = new LinkedHashMap<>();
        try (Disk disk = Disk.open(
                        top,
                        DiskOptions.defaults()
                                .withWritable(true)
                                .withSliceCacheBytes(seed % 2 * DiskOptions.DEFAULT_SLICE_CACHE_BYTES));
                Client queue = Client.of(engine, disk)) {
            for (int i = 0; i < 120; i++) {
                expected = step(random, disk, queue, expected, taken, version, refcountOrder);
            }
        }
        qemu.img(top.toString(), "check", top.toString());
        assertThat(Arrays.mismatch(qemu.raw(top.getFileName().toString()), expected))
                .as("seed " + seed)
                .isEqualTo(-1);
        for (Map.Entry<String, byte[]> snapshot : taken.entrySet()) {
            try (Disk disk = Disk.open(top, DiskOptions.defaults().withSnapshot(snapshot.getKey()));
                    Client queue = Client.of(engine, disk)) {
                assertThat(Arrays.mismatch(read(queue, (int) disk.sizeBytes()), snapshot.getValue()))
                        .as("seed " + seed + " snapshot " + snapshot.getKey())
                        .isEqualTo(-1);
            }
            qemu.img(top.toString(), "snapshot", "-a", snapshot.getKey(), top.toString());
            assertThat(Arrays.mismatch(qemu.raw(top.getFileName().toString()), snapshot.getValue()))
                    .as("seed " + seed + " snapshot " + snapshot.getKey() + " applied by qemu-img")
                    .isEqualTo(-1);
            qemu.img(top.toString(), "check", top.toString());
        }
        Files.delete(top);
    }

    private static byte[] step(
            Random random,
            Disk disk,
            Client queue,
            byte[] expected,
            Map<String, byte[]> taken,
            int version,
            int refcountOrder)
            throws IOException {
        switch (random.nextInt(16)) {
            case 0 -> {
                // qemu-img counts the new references before it drops the old: two bits are too few for it with two
                // snapshots.
                if (refcountOrder > 0 && taken.size() < (refcountOrder == 1 ? 1 : 2)) {
                    Snapshot made = disk.createSnapshot("s");
                    taken.put(made.id(), expected.clone());
                }
            }
            case 1 -> {
                if (!taken.isEmpty()) {
                    String id = taken.keySet().iterator().next();
                    disk.applySnapshot(id);
                    return Objects.requireNonNull(taken.get(id)).clone();
                }
            }
            case 2 -> {
                if (!taken.isEmpty()) {
                    String id = taken.keySet().iterator().next();
                    disk.deleteSnapshot(id);
                    taken.remove(id);
                }
            }
            case 3, 4 -> {
                if (version > 2 || taken.isEmpty()) {
                    int size = (1 + random.nextInt(4096)) * 512;
                    Preallocation[] ways = Preallocation.values();
                    disk.resize(size, size > expected.length ? ways[random.nextInt(ways.length)] : Preallocation.OFF);
                    return Arrays.copyOf(expected, size);
                }
            }
            case 5 -> queue.flush();
            case 6 -> {
                byte[] now = read(queue, expected.length);
                assertThat(Arrays.mismatch(now, expected)).isEqualTo(-1);
            }
            default -> {
                int at = random.nextInt(expected.length);
                int length = Math.min(expected.length - at, 1 + random.nextInt(100_000));
                if (random.nextInt(3) == 0) {
                    queue.writeZeroes(at, length, ZeroMode.MAY_UNMAP);
                    Arrays.fill(expected, at, at + length, (byte) 0);
                } else {
                    byte[] bytes = new byte[length];
                    random.nextBytes(bytes);
                    queue.write(at, ByteBuffer.wrap(bytes));
                    System.arraycopy(bytes, 0, expected, at, length);
                }
            }
        }
        return expected;
    }

    private static byte[] read(Client queue, int length) throws IOException {
        byte[] bytes = new byte[length];
        queue.read(0, ByteBuffer.wrap(bytes));
        return bytes;
    }

    @Test
    void aSnapshotThatRefcountsCannotCountIsRefusedAndChangesNothing() throws Exception {
        Path top = folder.resolve("narrow.qcow2");
        ImageCreator.create(top, CreateOptions.ofSize(1 << 20).refcountOrder(0).build());
        try (Disk disk = Disk.open(top, DiskOptions.defaults().withWritable(true));
                Client queue = Client.of(engine, disk)) {
            queue.write(0, ByteBuffer.wrap(new byte[] {1, 2, 3}));
            assertThatThrownBy(() -> disk.createSnapshot("one")).hasMessageContaining("1 bits");
            queue.write(3, ByteBuffer.wrap(new byte[] {4}));
            assertThat(Arrays.copyOf(read(queue, 8), 5)).containsExactly(1, 2, 3, 4, 0);
        }
        new Qemu(folder).img("narrow.qcow2", "check", "narrow.qcow2");
    }

    /** Its range was good when it came, and is not when it is let in. */
    @Test
    @Timeout(value = 60, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    void aRequestThatWaitedForAShrinkIsJudgedByTheNewSize() throws Exception {
        Path image = folder.resolve("shrinks.qcow2");
        ImageCreator.create(image, CreateOptions.ofSize(1 << 20).build());
        CountDownLatch shrinking = new CountDownLatch(1);
        CountDownLatch atTheDoor = new CountDownLatch(1);
        DiskOptions options = DiskOptions.defaults()
                .withWritable(true)
                .withStorageFilter(storage -> new AtHeaderWrites(storage, shrinking, atTheDoor))
                .withWaits(signal -> {
                    atTheDoor.countDown();
                    Waits.PARK.await(signal);
                });
        try (Disk disk = Disk.open(image, options)) {
            CountDownLatch written = new CountDownLatch(1);
            CompletableFuture<Void> write = CompletableFuture.runAsync(() -> {
                try (Client queue = Client.of(engine, disk);
                        Arena arena = Arena.ofConfined()) {
                    MemorySegment bytes = arena.allocate(512);
                    queue.perform(new Request.Write(0, 0, bytes));
                    written.countDown();
                    shrinking.await();
                    queue.begin(new Request.Write(0, 900_000, bytes));
                    // Who waits on a fiber is asked of nobody's waits.
                    atTheDoor.countDown();
                    queue.await();
                } catch (IOException | InterruptedException e) {
                    throw new AssertionError(e);
                }
            });
            written.await();
            disk.resize(1 << 19);
            assertThatThrownBy(write::get).hasCauseInstanceOf(IndexOutOfBoundsException.class);
        }
        new Qemu(folder).img(image.toString(), "check", image.toString());
    }

    /** Lets the header's writes go only when somebody waits. */
    private static final class AtHeaderWrites extends InterceptingStorage {
        private final CountDownLatch begun;
        private final CountDownLatch goOn;

        AtHeaderWrites(Storage next, CountDownLatch begun, CountDownLatch goOn) {
            super(next);
            this.begun = begun;
            this.goOn = goOn;
        }

        @Override
        protected void begin(dev.cowherd.storage.filter.Request request) throws IOException {
            if (request.operation() == Operation.WRITE && request.offset() == 0) {
                begun.countDown();
                try {
                    goOn.await();
                } catch (InterruptedException e) {
                    throw new IOException(e);
                }
            }
        }

        @Override
        protected InterceptingStorage around(Storage reopened) {
            return new AtHeaderWrites(reopened, begun, goOn);
        }
    }
}
